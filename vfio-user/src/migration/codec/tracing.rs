//! The shape of a type, from what it asks for when it is read.
//!
//! It is read again and again from nothing, each time with another variant of its enums, until all of
//! it has been seen. What cannot be seen, since a type contains itself, reads whatever comes, or
//! takes none of the values that are tried, is [`Shape::Any`].

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::shape::{Member, Members, Order, Plain, Shape, Variant};
use super::{MAX_DEPTH, ValueError};

type Result<T> = std::result::Result<T, ValueError>;

/// A type that takes more is too large to be seen.
const MOST_RUNS: usize = 4096;
const MOST_NODES: usize = 1 << 16;

/// The shape of what `read` reads. `is_finite` says that no type in it contains itself.
pub(super) fn shape<'de, S: DeserializeSeed<'de>>(read: impl Fn() -> S, is_finite: bool) -> Shape {
    let trace = Trace::new(is_finite);
    let run = || {
        trace.borrow_mut().begin();
        let result = read().deserialize(Probe { trace: &trace, node: 0, depth: 0 }).map(drop);
        let is_over = trace.borrow_mut().learn(result.is_ok());
        (result.is_ok(), is_over)
    };
    for _ in 0..MOST_RUNS {
        if run().1 {
            break;
        }
    }
    let fields = trace.borrow().fields();
    for (node, place) in fields {
        trace.borrow_mut().omit(node, place);
        let is_optional = run().0 && trace.borrow().has_omitted;
        trace.borrow_mut().omitted(node, place, is_optional);
    }
    trace.into_inner().shape(0)
}

#[derive(Clone, Debug)]
enum Kind {
    Unknown,
    Any,
    Plain(Plain),
    Option(usize),
    Seq(usize, Order),
    Map(usize, usize, Order),
    Tuple(Vec<usize>),
    Struct(Vec<Field>),
    Enum(Vec<(&'static str, usize)>),
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    node: usize,
    is_alias: bool,
    is_optional: bool,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    parent: Option<usize>,
    /// Which of the values is tried.
    attempt: usize,
    /// It is not read any more.
    is_avoided: bool,
    is_complete: bool,
}

#[derive(Debug)]
struct Trace {
    nodes: Vec<Node>,
    is_finite: bool,
    /// The visitors of the types that are being read.
    within: Vec<&'static str>,
    /// The last node without parts that was read.
    last: Option<usize>,
    /// A field whose name was given, and whose value has not been asked for.
    named: Option<(usize, usize)>,
    /// This run has found what it cannot see, and has made a note of it.
    has_given_up: bool,
    omit: Option<(usize, usize)>,
    has_omitted: bool,
}

impl Trace {
    fn new(is_finite: bool) -> RefCell<Self> {
        let mut trace = Trace {
            nodes: Vec::new(),
            is_finite,
            within: Vec::new(),
            last: None,
            named: None,
            has_given_up: false,
            omit: None,
            has_omitted: false,
        };
        trace.add(None);
        RefCell::new(trace)
    }

    fn add(&mut self, parent: Option<usize>) -> usize {
        let node =
            Node { kind: Kind::Unknown, parent, attempt: 0, is_avoided: false, is_complete: false };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn begin(&mut self) {
        self.within.clear();
        (self.last, self.named) = (None, None);
        (self.has_given_up, self.has_omitted) = (false, false);
    }

    /// What a run has shown; whether there is nothing left to be seen.
    fn learn(&mut self, is_read: bool) -> bool {
        if self.omit.is_some() {
            return true;
        }
        if !is_read && !self.has_given_up {
            match (self.named, self.last) {
                (Some((node, place)), _) => self.set_alias(node, place),
                (None, Some(last)) => self.try_another(last),
                (None, None) => self.give_up(0),
            }
        }
        if self.nodes.len() > MOST_NODES {
            self.give_up(0);
        }
        self.is_complete(0)
    }

    /// A second name of a field that had its value under the first.
    fn set_alias(&mut self, node: usize, place: usize) {
        if let Kind::Struct(fields) = &mut self.nodes[node].kind {
            fields[place].is_alias = true;
        }
    }

    fn try_another(&mut self, node: usize) {
        let tries = match &self.nodes[node].kind {
            Kind::Plain(Plain::Str) => TEXTS.len(),
            Kind::Plain(Plain::Bytes) => LENGTHS.len(),
            Kind::Plain(Plain::Unit) => 1,
            Kind::Plain(Plain::Bool) => 2,
            _ => NUMBERS.len(),
        };
        self.nodes[node].attempt += 1;
        if self.nodes[node].attempt == tries {
            self.give_up(node);
        }
    }

    /// A node cannot be seen: what it is a part of is read without it, if it can be.
    fn give_up(&mut self, mut node: usize) {
        self.has_given_up = true;
        while let Some(parent) = self.nodes[node].parent {
            let is_optional = match &self.nodes[parent].kind {
                Kind::Option(_) | Kind::Seq(..) | Kind::Map(..) => true,
                Kind::Enum(variants) => {
                    let other =
                        |(_, other): &(_, usize)| *other != node && !self.nodes[*other].is_avoided;
                    variants.iter().any(other)
                }
                _ => false,
            };
            if is_optional {
                break;
            }
            node = parent;
        }
        let node = &mut self.nodes[node];
        (node.kind, node.is_avoided) = (Kind::Any, true);
    }

    fn parts(&self, node: usize) -> Vec<usize> {
        match &self.nodes[node].kind {
            Kind::Unknown | Kind::Any | Kind::Plain(_) => Vec::new(),
            Kind::Option(of) | Kind::Seq(of, _) => vec![*of],
            Kind::Map(key, value, _) => vec![*key, *value],
            Kind::Tuple(nodes) => nodes.clone(),
            Kind::Struct(fields) => {
                fields.iter().filter(|field| !field.is_alias).map(|field| field.node).collect()
            }
            Kind::Enum(variants) => variants.iter().map(|(_, node)| *node).collect(),
        }
    }

    fn is_complete(&mut self, node: usize) -> bool {
        let Node { kind, is_avoided, is_complete, .. } = &self.nodes[node];
        if *is_complete || *is_avoided {
            return true;
        }
        // The entries of a map are read together.
        let is_empty = match kind {
            Kind::Unknown => return false,
            Kind::Map(key, value, _) => {
                [key, value].iter().any(|part| self.nodes[**part].is_avoided)
            }
            _ => false,
        };
        let complete = is_empty || self.parts(node).into_iter().all(|part| self.is_complete(part));
        self.nodes[node].is_complete = complete;
        complete
    }

    /// All fields of structs that have been seen.
    fn fields(&self) -> Vec<(usize, usize)> {
        let mut fields = Vec::new();
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if self.nodes[node].is_avoided {
                continue;
            }
            if let Kind::Struct(own) = &self.nodes[node].kind {
                let own = own.iter().enumerate().filter(|(_, field)| !field.is_alias);
                fields.extend(own.map(|(place, _)| (node, place)));
            }
            open.extend(self.parts(node));
        }
        fields
    }

    fn omit(&mut self, node: usize, place: usize) {
        self.omit = Some((node, place));
    }

    fn omitted(&mut self, node: usize, place: usize, is_optional: bool) {
        if let Kind::Struct(fields) = &mut self.nodes[node].kind {
            fields[place].is_optional = is_optional;
        }
    }

    /// The variant that is read now.
    fn choose(
        &mut self,
        node: usize,
        variants: &'static [&'static str],
    ) -> Option<(&'static str, usize)> {
        if matches!(self.nodes[node].kind, Kind::Unknown) {
            let list = variants.iter().map(|name| (*name, self.add(Some(node)))).collect();
            self.nodes[node].kind = Kind::Enum(list);
        }
        let Kind::Enum(list) = self.nodes[node].kind.clone() else { return None };
        if let Some((mut wanted, _)) = self.omit {
            while let Some(parent) = self.nodes[wanted].parent {
                if parent == node {
                    return list.into_iter().find(|(_, of)| *of == wanted);
                }
                wanted = parent;
            }
        }
        let new = list.iter().find(|(_, of)| !self.is_complete(*of)).copied();
        new.or_else(|| list.into_iter().find(|(_, of)| !self.nodes[*of].is_avoided))
    }

    fn shape(&self, node: usize) -> Shape {
        let boxed = |node: usize| Box::new(self.shape(node));
        match &self.nodes[node].kind {
            Kind::Unknown | Kind::Any => Shape::Any,
            Kind::Plain(plain) => Shape::Plain(*plain),
            Kind::Option(of) => Shape::Option(boxed(*of)),
            Kind::Seq(of, order) => Shape::Seq(boxed(*of), *order),
            Kind::Map(key, value, order) => {
                Shape::Map(Box::new((self.shape(*key), self.shape(*value))), *order)
            }
            Kind::Tuple(nodes) => {
                let mut runs: Vec<(u32, Shape)> = Vec::new();
                for shape in nodes.iter().map(|node| self.shape(*node)) {
                    match runs.last_mut() {
                        Some((count, last)) if *last == shape => *count += 1,
                        _ => runs.push((1, shape)),
                    }
                }
                Shape::Tuple(runs)
            }
            Kind::Struct(fields) => {
                let mut list: Vec<_> = fields.iter().map(|field| self.member(field)).collect();
                list.sort_by_key(|member| member.is_alias);
                Shape::Struct(Members { list, ..Members::default() })
            }
            Kind::Enum(variants) => {
                let variant = |(name, node): &(&'static str, usize)| Variant {
                    name: (*name).into(),
                    shape: self.shape(*node),
                };
                Shape::Enum(variants.iter().map(variant).collect())
            }
        }
    }

    fn member(&self, field: &Field) -> Member {
        let Field { name, node, is_alias, is_optional } = *field;
        let shape = if is_alias { Shape::Any } else { self.shape(node) };
        Member { name: name.into(), is_optional: is_optional || is_alias, is_alias, shape }
    }
}

/// What is tried where a type does not take everything.
const NUMBERS: [u8; 6] = [0, 1, 2, 3, 10, 100];
const TEXTS: [&str; 5] = ["", "0", "a", "1.0.0", "/"];
const LENGTHS: [usize; 6] = [0, 16, 1, 4, 6, 32];
static BYTES: [u8; 32] = [0; 32];

/// Reads from nothing.
#[derive(Clone, Copy)]
struct Probe<'t> {
    trace: &'t RefCell<Trace>,
    node: usize,
    depth: u8,
}

impl Probe<'_> {
    fn attempt(self, plain: Plain) -> usize {
        let mut trace = self.trace.borrow_mut();
        let node = &mut trace.nodes[self.node];
        node.kind = Kind::Plain(plain);
        let attempt = node.attempt;
        trace.last = Some(self.node);
        attempt
    }

    fn number(self, plain: Plain) -> u8 {
        NUMBERS[self.attempt(plain).min(NUMBERS.len() - 1)]
    }

    /// The parts of a node, which are made when it is first read.
    fn parts(self, count: usize, kind: impl FnOnce(Vec<usize>) -> Kind) -> Vec<usize> {
        let mut trace = self.trace.borrow_mut();
        if matches!(trace.nodes[self.node].kind, Kind::Unknown) {
            let parts: Vec<_> =
                (0..count.min(MOST_NODES)).map(|_| trace.add(Some(self.node))).collect();
            trace.nodes[self.node].kind = kind(parts);
        }
        trace.parts(self.node)
    }

    fn is_avoided(self, node: usize) -> bool {
        self.trace.borrow().nodes[node].is_avoided
    }

    /// It cannot be seen.
    fn give_up<T>(self) -> Result<T> {
        self.trace.borrow_mut().give_up(self.node);
        Err(ValueError::said("it cannot be seen"))
    }

    fn part(self, node: usize) -> Self {
        Probe { node, depth: self.depth + 1, ..self }
    }

    /// Reads a type of an author's, which may contain itself.
    fn within<V, T>(self, read: impl FnOnce(Self) -> Result<T>) -> Result<T> {
        let name = std::any::type_name::<V>();
        let mut trace = self.trace.borrow_mut();
        let recurs = !trace.is_finite && trace.within.contains(&name);
        trace.within.push(name);
        drop(trace);
        if recurs || self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let read = read(self);
        self.trace.borrow_mut().within.pop();
        read
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| {
            probe.parts(fields.len(), |nodes| {
                let field = |(name, node): (&&'static str, usize)| Field {
                    name,
                    node,
                    is_alias: false,
                    is_optional: false,
                };
                Kind::Struct(fields.iter().zip(nodes).map(field).collect())
            });
            visitor.visit_map(Fields { probe, next: 0 })
        })
    }

    fn tuple<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        let parts = self.parts(len, Kind::Tuple);
        if parts.len() != len {
            return self.give_up();
        }
        visitor.visit_seq(Parts { probe: self, parts: parts.into_iter() })
    }
}

macro_rules! numbers {
    ($($method:ident = $plain:ident, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.number(Plain::$plain).into())
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ValueError;

    numbers! {
        deserialize_u8 = U8, visit_u8;
        deserialize_u16 = U16, visit_u16;
        deserialize_u32 = U32, visit_u32;
        deserialize_u64 = U64, visit_u64;
        deserialize_u128 = U128, visit_u128;
        deserialize_i16 = I16, visit_i16;
        deserialize_i32 = I32, visit_i32;
        deserialize_i64 = I64, visit_i64;
        deserialize_i128 = I128, visit_i128;
        deserialize_f32 = F32, visit_f32;
        deserialize_f64 = F64, visit_f64;
        deserialize_char = Char, visit_char;
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i8(self.number(Plain::I8).cast_signed())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.attempt(Plain::Bool) == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(TEXTS[self.attempt(Plain::Str).min(TEXTS.len() - 1)])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let len = LENGTHS[self.attempt(Plain::Bytes).min(LENGTHS.len() - 1)];
        visitor.visit_bytes(&BYTES[..len])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.attempt(Plain::Unit);
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| visitor.visit_newtype_struct(probe))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let of = self.parts(1, |parts| Kind::Option(parts[0]));
        match of[..] {
            [of] if !self.is_avoided(of) => visitor.visit_some(self.part(of)),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let name = std::any::type_name::<V>();
        let is_sorted = ["HashSet", "BinaryHeap", "DashSet"].iter().any(|set| name.contains(set));
        let order = if is_sorted { Order::Sorted } else { Order::Kept };
        let mut parts = self.parts(1, |parts| Kind::Seq(parts[0], order));
        parts.retain(|part| !self.is_avoided(*part));
        visitor.visit_seq(Parts { probe: self, parts: parts.into_iter() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let name = std::any::type_name::<V>();
        let is_kept = ["BTreeMap", "IndexMap", "Linked"].iter().any(|map| name.contains(map));
        let order = if is_kept { Order::Kept } else { Order::Sorted };
        let mut parts = self.parts(2, |parts| Kind::Map(parts[0], parts[1], order));
        if parts.iter().any(|part| self.is_avoided(*part)) {
            parts.clear();
        }
        visitor.visit_map(Parts { probe: self, parts: parts.into_iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        self.tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| probe.tuple(len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| {
            let chosen = probe.trace.borrow_mut().choose(probe.node, variants);
            match chosen {
                Some((name, of)) => visitor.visit_enum(Chosen { name, content: probe.part(of) }),
                None => probe.give_up(),
            }
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        self.give_up()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        self.give_up()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.trace.borrow_mut().nodes[self.node].kind = Kind::Any;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Each part once: of a tuple, the one element of a list, key and value of a map.
struct Parts<'t> {
    probe: Probe<'t>,
    parts: std::vec::IntoIter<usize>,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.parts.next().map(|part| seed.deserialize(self.probe.part(part))).transpose()
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.parts.next().map(|part| seed.deserialize(self.probe.part(part))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let part = self.parts.next().ok_or_else(|| ValueError::said("it has no value"))?;
        seed.deserialize(self.probe.part(part))
    }
}

struct Fields<'t> {
    probe: Probe<'t>,
    next: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let node = self.probe.node;
        let mut trace = self.probe.trace.borrow_mut();
        let Kind::Struct(fields) = &trace.nodes[node].kind else { return Ok(None) };
        let is_omitted = |place: usize| trace.omit == Some((node, place));
        let rest = fields.iter().enumerate().skip(self.next);
        let given = rest.clone().find(|(place, field)| !field.is_alias && !is_omitted(*place));
        let given = given.map(|(place, field)| (place, field.name));
        let has_omitted = rest.into_iter().any(|(place, _)| is_omitted(place));
        trace.has_omitted |= has_omitted;
        let Some((place, name)) = given else { return Ok(None) };
        self.next = place + 1;
        trace.named = Some((node, place));
        drop(trace);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let mut trace = self.probe.trace.borrow_mut();
        trace.named = None;
        let Kind::Struct(fields) = &trace.nodes[self.probe.node].kind else {
            return Err(ValueError::said("it has no value"));
        };
        let part = fields[self.next - 1].node;
        drop(trace);
        seed.deserialize(self.probe.part(part))
    }
}

struct Chosen<'t> {
    name: &'static str,
    content: Probe<'t>,
}

impl<'de, 't> EnumAccess<'de> for Chosen<'t> {
    type Error = ValueError;
    type Variant = Probe<'t>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Probe<'t>)> {
        let name = StrDeserializer::<ValueError>::new(self.name);
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<()> {
        self.attempt(Plain::Unit);
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields, visitor)
    }
}
