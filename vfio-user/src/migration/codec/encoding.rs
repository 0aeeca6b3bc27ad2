//! Writing a value, along its shape.
//!
//! The shape is the one that the value is read with. A type that writes something else is refused here
//! and not on the destination.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::shape::{ANY, Member, Order, Plain, Shape, Variant, tag, total};
use super::{MAX_DEPTH, ValueError, wire};

type Result<T> = std::result::Result<T, ValueError>;

pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) shape: &'a Shape,
    pub(super) depth: u8,
}

impl<'a> Encoder<'a> {
    #[inline]
    fn plain(&mut self, plain: Plain) -> Result<()> {
        match self.shape {
            Shape::Plain(read) if *read == plain => Ok(()),
            Shape::Any => {
                self.out.push(plain as u8);
                Ok(())
            }
            _ => Err(self.mismatch(plain.name())),
        }
    }

    #[cold]
    fn mismatch(&self, written: &str) -> ValueError {
        ValueError::new(format!("it is written as `{written}` and read as `{}`", self.shape))
    }

    #[inline]
    fn number(mut self, plain: Plain, value: u64) -> Result<()> {
        self.plain(plain)?;
        wire::put(self.out, value);
        Ok(())
    }

    #[inline]
    fn raw(mut self, plain: Plain, bytes: &[u8]) -> Result<()> {
        self.plain(plain)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn sized(mut self, plain: Plain, bytes: &[u8]) -> Result<()> {
        self.plain(plain)?;
        wire::put_len(self.out, bytes.len());
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// The shape of a variant, once the variant has been written.
    fn variant(&mut self, place: u32, name: &str) -> Result<&'a Shape> {
        let variants = match self.shape {
            Shape::Any => {
                self.out.push(tag::ENUM);
                wire::put_str(self.out, name);
                return Ok(&ANY);
            }
            Shape::Enum(variants) => variants,
            _ => return Err(self.mismatch(&format!("an enum with the variant {name}"))),
        };
        let place = place as usize;
        let is_it = |variant: &Variant| variant.name == name;
        let place = match variants.get(place) {
            Some(variant) if is_it(variant) => place,
            _ => variants.iter().position(is_it).ok_or_else(|| {
                ValueError::new(format!("the variant `{name}` is written and not read"))
            })?,
        };
        wire::put_len(self.out, place);
        Ok(&variants[place].shape)
    }

    fn at(self, shape: &'a Shape) -> Self {
        Encoder { shape, ..self }
    }

    fn tuple(self, len: usize) -> Result<Tuple<'a>> {
        let runs = match self.shape {
            Shape::Any => {
                self.out.push(tag::TUPLE);
                wire::put_len(self.out, len);
                None
            }
            Shape::Tuple(runs) if total(runs) == len as u64 => Some(&runs[..]),
            _ => return Err(self.mismatch(&format!("a tuple of {len}"))),
        };
        let depth = deeper(self.depth)?;
        Ok(Tuple { out: self.out, runs, left_of_run: 0, left: len, shape: &ANY, depth })
    }

    fn fields(self, len: usize) -> Result<Fields<'a>> {
        let members = match self.shape {
            Shape::Any => {
                self.out.push(tag::STRUCT);
                wire::put_len(self.out, len);
                None
            }
            Shape::Struct(members) => {
                self.out.push(0);
                Some(&members.list[..])
            }
            _ => return Err(self.mismatch("a struct")),
        };
        let (start, depth) = (self.out.len(), deeper(self.depth)?);
        Ok(Fields { out: self.out, members, start, next: 0, order: Vec::new(), left: len, depth })
    }
}

pub(super) fn deeper(depth: u8) -> Result<u8> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    Err(ValueError::new(format!("it is nested more than {MAX_DEPTH} deep")))
}

macro_rules! numbers {
    ($($method:ident($ty:ty) = $plain:ident, $to:expr;)*) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<()> {
            self.number(Plain::$plain, $to(value))
        }
    )*};
}

/// Small numbers of either sign are small.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Tuple<'a>;
    type SerializeTupleStruct = Tuple<'a>;
    type SerializeTupleVariant = Tuple<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    numbers! {
        serialize_u16(u16) = U16, u64::from;
        serialize_u32(u32) = U32, u64::from;
        serialize_u64(u64) = U64, u64::from;
        serialize_i16(i16) = I16, |value| zigzag(i64::from(value));
        serialize_i32(i32) = I32, |value| zigzag(i64::from(value));
        serialize_i64(i64) = I64, zigzag;
        serialize_char(char) = Char, u64::from;
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<()> {
        self.raw(Plain::U8, &[value])
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<()> {
        self.raw(Plain::I8, &value.to_le_bytes())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.raw(Plain::Bool, &[value.into()])
    }

    fn serialize_u128(self, value: u128) -> Result<()> {
        self.raw(Plain::U128, &value.to_le_bytes())
    }

    fn serialize_i128(self, value: i128) -> Result<()> {
        self.raw(Plain::I128, &value.to_le_bytes())
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.raw(Plain::F32, &value.to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.raw(Plain::F64, &value.to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.sized(Plain::Str, value.as_bytes())
    }

    /// As a list of bytes, too, which are the same bytes.
    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        match self.shape {
            Shape::Seq(of, Order::Kept) if **of == Shape::Plain(Plain::U8) => {
                self.at(&BYTES).sized(Plain::Bytes, value)
            }
            _ => self.sized(Plain::Bytes, value),
        }
    }

    fn serialize_unit(mut self) -> Result<()> {
        self.plain(Plain::Unit)
    }

    fn serialize_unit_struct(mut self, _: &'static str) -> Result<()> {
        self.plain(Plain::Unit)
    }

    fn serialize_none(self) -> Result<()> {
        match self.shape {
            Shape::Any => self.out.extend_from_slice(&[tag::OPTION, 0]),
            Shape::Option(_) => self.out.push(0),
            _ => return Err(self.mismatch("an option")),
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        let shape = match self.shape {
            Shape::Any => {
                self.out.extend_from_slice(&[tag::OPTION, 1]);
                &ANY
            }
            Shape::Option(of) => {
                self.out.push(1);
                of
            }
            _ => return Err(self.mismatch("an option")),
        };
        let depth = deeper(self.depth)?;
        value.serialize(Encoder { out: self.out, shape, depth })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit_variant(mut self, _: &'static str, n: u32, name: &'static str) -> Result<()> {
        let shape = self.variant(n, name)?;
        self.at(shape).serialize_unit()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        let shape = self.variant(n, name)?;
        let depth = deeper(self.depth)?;
        value.serialize(Encoder { out: self.out, shape, depth })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>> {
        let (of, order) = match self.shape {
            Shape::Any => {
                self.out.push(tag::SEQ);
                (&ANY, Order::Kept)
            }
            Shape::Seq(of, order) => (&**of, *order),
            Shape::Plain(Plain::Bytes) => (&U8, Order::Kept),
            _ => return Err(self.mismatch("a list")),
        };
        Elements::new(self.out, (of, of), order, len, self.depth)
    }

    fn serialize_tuple(self, len: usize) -> Result<Tuple<'a>> {
        self.tuple(len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Tuple<'a>> {
        self.tuple(len)
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Tuple<'a>> {
        let shape = self.variant(n, name)?;
        self.at(shape).tuple(len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'a>> {
        let (of, order) = match self.shape {
            Shape::Any => {
                self.out.push(tag::MAP);
                ((&ANY, &ANY), Order::Sorted)
            }
            Shape::Map(of, order) => ((&of.0, &of.1), *order),
            _ => return Err(self.mismatch("a map")),
        };
        Elements::new(self.out, of, order, len, self.depth)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Fields<'a>> {
        self.fields(len)
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Fields<'a>> {
        let shape = self.variant(n, name)?;
        self.at(shape).fields(len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

static U8: Shape = Shape::Plain(Plain::U8);
static BYTES: Shape = Shape::Plain(Plain::Bytes);

/// The elements of a list or the entries of a map.
pub(super) struct Elements<'a> {
    out: &'a mut Vec<u8>,
    /// Of a key, or of an element, and of a value.
    of: (&'a Shape, &'a Shape),
    /// Elements of no size have a byte each, so that a number of them has bytes to be checked against.
    is_padded: bool,
    order: Order,
    /// Where the elements begin.
    start: usize,
    /// Where each does, if they are sorted.
    starts: Vec<usize>,
    count: usize,
    said: Option<usize>,
    depth: u8,
}

impl<'a> Elements<'a> {
    fn new(
        out: &'a mut Vec<u8>,
        of: (&'a Shape, &'a Shape),
        order: Order,
        said: Option<usize>,
        depth: u8,
    ) -> Result<Self> {
        if let Some(len) = said {
            wire::put_len(out, len);
        }
        let (start, is_padded, depth) = (out.len(), of.0.is_empty(), deeper(depth)?);
        Ok(Elements { out, of, is_padded, order, start, starts: Vec::new(), count: 0, said, depth })
    }

    #[inline]
    fn first<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.count += 1;
        if self.order == Order::Sorted {
            self.starts.push(self.out.len());
        }
        if self.is_padded {
            self.out.push(0);
        }
        value.serialize(Encoder { out: self.out, shape: self.of.0, depth: self.depth })
    }

    fn complete(self) -> Result<()> {
        match self.said {
            Some(said) if said != self.count => {
                let text =
                    format!("it says that it holds {said} elements, and holds {}", self.count);
                return Err(ValueError::new(text));
            }
            _ => {}
        }
        if self.order == Order::Sorted {
            sort(self.out, self.start, &self.starts);
        }
        if self.said.is_none() {
            let mut len = Vec::new();
            wire::put_len(&mut len, self.count);
            self.out.splice(self.start..self.start, len);
        }
        Ok(())
    }
}

/// Puts the elements that begin at `starts`, up to the end, into the order of their bytes.
fn sort(out: &mut Vec<u8>, start: usize, starts: &[usize]) {
    let ends = starts.iter().skip(1).copied().chain([out.len()]);
    let mut elements: Vec<_> =
        starts.iter().copied().zip(ends).map(|(from, to)| &out[from..to]).collect();
    if elements.is_sorted() {
        return;
    }
    elements.sort_unstable();
    let sorted = elements.concat();
    out.truncate(start);
    out.extend_from_slice(&sorted);
}

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = ValueError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.first(value)
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}

impl SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.first(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Encoder { out: self.out, shape: self.of.1, depth: self.depth })
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}

/// The elements of a tuple or an array.
pub(super) struct Tuple<'a> {
    out: &'a mut Vec<u8>,
    /// Those that follow the present one.
    runs: Option<&'a [(u32, Shape)]>,
    left_of_run: u32,
    left: usize,
    shape: &'a Shape,
    depth: u8,
}

impl Tuple<'_> {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let wrong = || ValueError::said("a tuple has other elements than it says");
        self.left = self.left.checked_sub(1).ok_or_else(wrong)?;
        while let (0, Some(runs)) = (self.left_of_run, self.runs) {
            let ((count, shape), rest) = runs.split_first().ok_or_else(wrong)?;
            (self.left_of_run, self.shape, self.runs) = (*count, shape, Some(rest));
        }
        self.left_of_run = self.left_of_run.saturating_sub(1);
        value.serialize(Encoder { out: self.out, shape: self.shape, depth: self.depth })
    }

    fn complete(self) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        Err(ValueError::said("a tuple has other elements than it says"))
    }
}

macro_rules! tuples {
    ($($shape:ident: $method:ident;)*) => {$(
        impl $shape for Tuple<'_> {
            type Ok = ();
            type Error = ValueError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.element(value)
            }

            fn end(self) -> Result<()> {
                self.complete()
            }
        }
    )*};
}

tuples! {
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

/// The fields of a struct: 0, and all of them as the shape has them; or their number, the place of
/// each in the shape, and they.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    members: Option<&'a [Member]>,
    /// Behind the number.
    start: usize,
    /// How many came in the order of the shape, or the place behind the last one.
    next: usize,
    /// The places of all that came, if they are others than the shape has.
    order: Vec<usize>,
    left: usize,
    depth: u8,
}

impl Fields<'_> {
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        let Some(members) = self.members else {
            let wrong = || ValueError::said("a struct has other fields than it says");
            self.left = self.left.checked_sub(1).ok_or_else(wrong)?;
            wire::put_str(self.out, name);
            return value.serialize(Encoder { out: self.out, shape: &ANY, depth: self.depth });
        };
        let place = match members.get(self.next) {
            Some(member) if member.name == name && self.order.is_empty() => self.next,
            _ => self.out_of_order(members, name)?,
        };
        self.next = place + 1;
        value.serialize(Encoder { out: self.out, shape: &members[place].shape, depth: self.depth })
    }

    #[cold]
    fn out_of_order(&mut self, members: &[Member], name: &str) -> Result<usize> {
        let is_it = |member: &Member| member.name == name && !member.is_alias;
        let place = members.iter().position(is_it).ok_or_else(|| {
            ValueError::new(format!("the field `{name}` of a struct is written and not read"))
        })?;
        if self.order.is_empty() {
            self.order = (0..self.next).collect();
        }
        if self.order.contains(&place) {
            return Err(ValueError::new(format!("the field `{name}` of a struct comes twice")));
        }
        self.order.push(place);
        Ok(place)
    }

    fn complete(mut self) -> Result<()> {
        let Some(members) = self.members else {
            if self.left == 0 {
                return Ok(());
            }
            return Err(ValueError::said("a struct has other fields than it says"));
        };
        let own = members.iter().take_while(|member| !member.is_alias).count();
        if self.order.is_empty() {
            if self.next == own {
                return Ok(());
            }
            self.order = (0..self.next).collect();
        }
        let lacks =
            |(place, member): &(usize, &Member)| !member.is_optional && !self.order.contains(place);
        if let Some((_, member)) = members[..own].iter().enumerate().find(lacks) {
            let text = format!("the field `{}` of a struct is read and not written", member.name);
            return Err(ValueError::new(text));
        }
        let mut head = Vec::new();
        wire::put_len(&mut head, self.order.len() + 1);
        self.order.iter().for_each(|place| wire::put_len(&mut head, *place));
        self.out.splice(self.start - 1..self.start, head);
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = ValueError;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}

impl SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = ValueError;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}
