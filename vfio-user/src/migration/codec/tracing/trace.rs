//! What has been seen of a type, and what is tried next.

use std::cell::RefCell;

use super::super::shape::{Member, Members, Order, Plain, Sample, Samples, Shape, Variant};
use super::MOST_NODES;

#[derive(Clone, Debug)]
pub(super) enum TraceKind {
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
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) node: usize,
    pub(super) is_alias: bool,
    pub(super) is_optional: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: TraceKind,
    pub(super) parent: Option<usize>,
    /// Which of the values is tried.
    pub(super) attempt: usize,
    /// A value that is tried although another one is accepted.
    pub(super) sample: Option<Sample>,
    /// Those of its samples that it refuses.
    pub(super) refused: Samples,
    /// It is not read any more.
    pub(super) is_avoided: bool,
    pub(super) is_complete: bool,
}

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) nodes: Vec<Node>,
    pub(super) is_finite: bool,
    /// The visitors of the types that are being read.
    pub(super) within: Vec<&'static str>,
    /// The last node without parts that was read.
    pub(super) last: Option<usize>,
    /// A field whose name was given, and whose value has not been asked for.
    pub(super) named: Option<(usize, usize)>,
    /// This run has found what it cannot see, and has made a note of it.
    pub(super) has_given_up: bool,
    pub(super) omit: Option<(usize, usize)>,
    pub(super) has_omitted: bool,
    /// A node that has a sample.
    pub(super) sampled: Option<usize>,
}

impl Trace {
    pub(super) fn new(is_finite: bool) -> RefCell<Self> {
        let mut trace = Trace {
            nodes: Vec::new(),
            is_finite,
            within: Vec::new(),
            last: None,
            named: None,
            has_given_up: false,
            omit: None,
            has_omitted: false,
            sampled: None,
        };
        trace.add(None);
        RefCell::new(trace)
    }

    pub(super) fn add(&mut self, parent: Option<usize>) -> usize {
        let node = Node {
            kind: TraceKind::Unknown,
            parent,
            attempt: 0,
            sample: None,
            refused: Samples::default(),
            is_avoided: false,
            is_complete: false,
        };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub(super) fn begin(&mut self) {
        self.within.clear();
        (self.last, self.named) = (None, None);
        (self.has_given_up, self.has_omitted) = (false, false);
    }

    /// What a run has shown; whether there is nothing left to be seen. `twice` is the field that it
    /// refused to read once more.
    pub(super) fn learn(&mut self, is_read: bool, twice: Option<&str>) -> bool {
        if self.wanted().is_some() {
            return true;
        }
        if !is_read && !self.has_given_up {
            match (self.named, self.last) {
                (Some((node, place)), _) => self.set_alias(node, place, twice),
                (None, Some(last)) => self.try_another(last),
                (None, None) => self.give_up(0),
            }
        }
        if self.nodes.len() > MOST_NODES {
            self.give_up(0);
        }
        // What was refused is read once more, with another value.
        self.nodes[0].is_avoided || (is_read && self.is_complete(0))
    }

    /// A second name of a field that had its value under the first. The name of the field itself is
    /// the one that the error has. If that is the second one, the first is that of the field
    /// before: derived readers list the names of a field together.
    fn set_alias(&mut self, node: usize, second: usize, twice: Option<&str>) {
        let TraceKind::Struct(fields) = &mut self.nodes[node].kind else { return };
        let field = fields.iter().position(|field| Some(field.name) == twice);
        let first = fields[..second].iter().rposition(|field| !field.is_alias);
        match (field, first) {
            (Some(field), Some(first)) if field == second => {
                (fields[first].is_alias, fields[first].node) = (true, fields[field].node);
            }
            (Some(field), _) if !fields[field].is_alias => {
                (fields[second].is_alias, fields[second].node) = (true, fields[field].node);
            }
            // Its type is unknown.
            _ => fields[second].is_alias = true,
        }
    }

    fn try_another(&mut self, node: usize) {
        let Node { kind, attempt, .. } = &mut self.nodes[node];
        *attempt += 1;
        let plain = if let TraceKind::Plain(plain) = kind { Some(plain) } else { None };
        if plain.and_then(|plain| plain.attempt(*attempt)).is_none() {
            self.give_up(node);
        }
    }

    /// A node cannot be seen: what it is a part of is read without it, if it can be.
    pub(super) fn give_up(&mut self, mut node: usize) {
        self.has_given_up = true;
        while let Some(parent) = self.nodes[node].parent {
            let is_optional = match &self.nodes[parent].kind {
                TraceKind::Option(_) | TraceKind::Seq(..) | TraceKind::Map(..) => true,
                TraceKind::Enum(variants) => {
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
        (node.kind, node.is_avoided) = (TraceKind::Any, true);
    }

    pub(super) fn parts(&self, node: usize) -> Vec<usize> {
        match &self.nodes[node].kind {
            TraceKind::Unknown | TraceKind::Any | TraceKind::Plain(_) => Vec::new(),
            TraceKind::Option(of) | TraceKind::Seq(of, _) => vec![*of],
            TraceKind::Map(key, value, _) => vec![*key, *value],
            TraceKind::Tuple(nodes) => nodes.clone(),
            TraceKind::Struct(fields) => {
                fields.iter().filter(|field| !field.is_alias).map(|field| field.node).collect()
            }
            TraceKind::Enum(variants) => variants.iter().map(|(_, node)| *node).collect(),
        }
    }

    fn is_complete(&mut self, node: usize) -> bool {
        let Node { kind, is_avoided, is_complete, .. } = &self.nodes[node];
        if *is_complete || *is_avoided {
            return true;
        }
        // The entries of a map are read together.
        let is_empty = match kind {
            TraceKind::Unknown => return false,
            TraceKind::Map(key, value, _) => {
                [key, value].iter().any(|part| self.nodes[**part].is_avoided)
            }
            _ => false,
        };
        let complete = is_empty || self.parts(node).into_iter().all(|part| self.is_complete(part));
        self.nodes[node].is_complete = complete;
        complete
    }

    /// All fields of structs that have been seen.
    pub(super) fn fields(&self) -> Vec<(usize, usize)> {
        let mut fields = Vec::new();
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if self.nodes[node].is_avoided {
                continue;
            }
            if let TraceKind::Struct(own) = &self.nodes[node].kind {
                let own = own.iter().enumerate().filter(|(_, field)| !field.is_alias);
                fields.extend(own.map(|(place, _)| (node, place)));
            }
            open.extend(self.parts(node));
        }
        fields
    }

    pub(super) fn omitted(&mut self, node: usize, place: usize, is_optional: bool) {
        if let TraceKind::Struct(fields) = &mut self.nodes[node].kind {
            fields[place].is_optional = is_optional;
        }
    }

    /// The node that a run has to reach.
    fn wanted(&self) -> Option<usize> {
        self.omit.map(|(node, _)| node).or(self.sampled)
    }

    /// The variant that is read now.
    pub(super) fn choose(
        &mut self,
        node: usize,
        variants: &'static [&'static str],
    ) -> Option<(&'static str, usize)> {
        if matches!(self.nodes[node].kind, TraceKind::Unknown) {
            let list = variants.iter().map(|name| (*name, self.add(Some(node)))).collect();
            self.nodes[node].kind = TraceKind::Enum(list);
        }
        let TraceKind::Enum(list) = self.nodes[node].kind.clone() else { return None };
        if let Some(mut wanted) = self.wanted() {
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

    pub(super) fn shape(&self, node: usize) -> Shape {
        self.whole(node).but(self.nodes[node].refused.clone())
    }

    /// The shape without what is refused.
    pub(super) fn whole(&self, node: usize) -> Shape {
        let boxed = |node: usize| Box::new(self.shape(node));
        match &self.nodes[node].kind {
            TraceKind::Unknown | TraceKind::Any => Shape::Any,
            TraceKind::Plain(plain) => Shape::Plain(*plain),
            TraceKind::Option(of) => Shape::Option(boxed(*of)),
            TraceKind::Seq(of, order) => Shape::Seq(boxed(*of), *order),
            TraceKind::Map(key, value, order) => {
                Shape::Map(Box::new((self.shape(*key), self.shape(*value))), *order)
            }
            TraceKind::Tuple(nodes) => {
                let mut runs: Vec<(u32, Shape)> = Vec::new();
                for shape in nodes.iter().map(|node| self.shape(*node)) {
                    match runs.last_mut() {
                        Some((count, last)) if *last == shape => *count += 1,
                        _ => runs.push((1, shape)),
                    }
                }
                Shape::Tuple(runs)
            }
            TraceKind::Struct(fields) => {
                let list = fields.iter().map(|field| self.member(field)).collect();
                Shape::Struct(Members::new(list))
            }
            TraceKind::Enum(variants) => {
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
        let (name, is_optional) = (name.into(), is_optional || is_alias);
        Member { name, is_optional, is_alias, shape: self.shape(node) }
    }
}
