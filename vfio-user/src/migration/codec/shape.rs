//! What a value consists of: the type of a field, as it is written beside its value.
//!
//! Names are here and not in the values, so that a thousand structs have the names of their fields
//! once. Two versions of a device compare shapes before they look at a value.

mod accept;
mod samples;
mod text;

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{MAX_DEPTH, ValueError, wire};
pub(super) use samples::{MOST_BYTES, Sample, Samples};

/// The type of a value, as serde sees it. Boxes and newtypes do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each value says itself what it is.
    Any,
    Plain(Plain),
    Option(Box<Shape>),
    Seq(Box<Shape>, Order),
    /// Keys and values.
    Map(Box<(Shape, Shape)>, Order),
    /// Runs of elements that are alike.
    Tuple(Vec<(u32, Shape)>),
    Struct(Members),
    Enum(Vec<Variant>),
    /// Some values of the shape are refused. It is in schemas alone: in a stream, and for what
    /// reads and writes one, it is the whole shape.
    Partial(Box<Shape>, Samples),
}

/// Whether the order of elements says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Kept,
    /// Elements are written in the order of their bytes, so that equal sets are equal bytes.
    Sorted,
}

/// What has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Unit,
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Other names come last.
    pub(crate) list: Vec<Member>,
    /// How many of the list are no other names.
    own: usize,
    /// Names of fields that a reader has found to be these, in this order.
    pub(super) same_as: Memo,
    /// The name of a reader that has been found to be derived.
    pub(super) derived: Memo,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Cow<'static, str>,
    /// A value may lack it.
    pub(crate) is_optional: bool,
    /// Another name of a field of this shape, for reading alone.
    pub(crate) is_alias: bool,
    pub(crate) shape: Shape,
}

/// A variant of an enum, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: Cow<'static, str>,
    pub(crate) shape: Shape,
}

impl Members {
    pub(super) fn new(mut list: Vec<Member>) -> Self {
        list.sort_by_key(|member| member.is_alias);
        let own = list.iter().filter(|member| !member.is_alias).count();
        Members { list, own, ..Members::default() }
    }

    /// Those that are written, in their order.
    #[inline]
    pub(super) fn own(&self) -> &[Member] {
        self.list.get(..self.own).unwrap_or_default()
    }
}

/// The address of something `'static`; it is compared, never used.
#[derive(Debug, Default)]
pub(super) struct Memo(AtomicUsize);

impl Memo {
    #[inline]
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, address: usize) {
        self.0.store(address, Ordering::Relaxed);
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Memo::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

pub(super) static ANY: Shape = Shape::Any;

const PLAIN: [(Plain, &str); 17] = [
    (Plain::Unit, "()"),
    (Plain::Bool, "bool"),
    (Plain::U8, "u8"),
    (Plain::U16, "u16"),
    (Plain::U32, "u32"),
    (Plain::U64, "u64"),
    (Plain::U128, "u128"),
    (Plain::I8, "i8"),
    (Plain::I16, "i16"),
    (Plain::I32, "i32"),
    (Plain::I64, "i64"),
    (Plain::I128, "i128"),
    (Plain::F32, "f32"),
    (Plain::F64, "f64"),
    (Plain::Char, "char"),
    (Plain::Str, "str"),
    (Plain::Bytes, "bytes"),
];

impl Plain {
    pub(crate) fn name(self) -> &'static str {
        PLAIN[self as usize].1
    }
}

/// The tags of shapes, and of values that say what they are. Those of [`Plain`] come first.
pub(super) mod tag {
    pub(in super::super) const OPTION: u8 = 17;
    pub(in super::super) const SEQ: u8 = 18;
    pub(in super::super) const MAP: u8 = 19;
    pub(in super::super) const TUPLE: u8 = 20;
    pub(in super::super) const STRUCT: u8 = 21;
    pub(in super::super) const ENUM: u8 = 22;
    pub(in super::super) const ANY: u8 = 23;
}

pub(super) fn plain_of(tag: u8) -> Option<Plain> {
    PLAIN.get(usize::from(tag)).map(|(plain, _)| *plain)
}

impl Shape {
    /// A shape of which these values are refused.
    pub(super) fn but(self, refused: Samples) -> Self {
        if refused.is_empty() { self } else { Shape::Partial(Box::new(self), refused) }
    }

    /// Many of a shape.
    pub(crate) fn many(of: Shape) -> Self {
        Shape::Seq(Box::new(of), Order::Kept)
    }

    /// Whether its values may take no bytes at all.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Shape::Plain(Plain::Unit) => true,
            Shape::Tuple(runs) => runs.iter().all(|(_, shape)| shape.is_empty()),
            _ => false,
        }
    }

    /// Whether these are its bytes, for one without parts; others are not compared.
    #[inline]
    pub(crate) fn is_written_as(&self, bytes: &[u8]) -> bool {
        matches!((self, bytes), (Shape::Plain(plain), [tag]) if *plain as u8 == *tag)
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Shape::Any => out.push(tag::ANY),
            Shape::Partial(of, _) => of.write(out),
            Shape::Plain(plain) => out.push(*plain as u8),
            Shape::Option(of) => {
                out.push(tag::OPTION);
                of.write(out);
            }
            Shape::Seq(of, _) => {
                out.push(tag::SEQ);
                of.write(out);
            }
            Shape::Map(of, _) => {
                out.push(tag::MAP);
                of.0.write(out);
                of.1.write(out);
            }
            Shape::Tuple(runs) => {
                out.push(tag::TUPLE);
                wire::put_len(out, runs.len());
                for (count, shape) in runs {
                    wire::put(out, u64::from(*count));
                    shape.write(out);
                }
            }
            Shape::Struct(members) => {
                out.push(tag::STRUCT);
                wire::put_len(out, members.own);
                for Member { name, is_optional, shape, .. } in members.own() {
                    wire::put_str(out, name);
                    out.push(u8::from(*is_optional));
                    shape.write(out);
                }
            }
            Shape::Enum(variants) => {
                out.push(tag::ENUM);
                wire::put_len(out, variants.len());
                for Variant { name, shape } in variants {
                    wire::put_str(out, name);
                    shape.write(out);
                }
            }
        }
    }

    /// Reads what [`write`](Self::write) wrote, up to its end.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, ValueError> {
        Self::read_within(bytes, 0)
    }

    fn read_within(bytes: &mut &[u8], depth: u8) -> Result<Self, ValueError> {
        if depth > 2 * MAX_DEPTH {
            return Err(ValueError::said("its type is nested too deep"));
        }
        let read = |bytes: &mut &[u8]| Self::read_within(bytes, depth + 1);
        let tag = wire::take(bytes, 1)?[0];
        Ok(match tag {
            tag::ANY => Shape::Any,
            tag::OPTION => Shape::Option(Box::new(read(bytes)?)),
            tag::SEQ => Shape::many(read(bytes)?),
            tag::MAP => Shape::Map(Box::new((read(bytes)?, read(bytes)?)), Order::Sorted),
            tag::TUPLE => {
                let count = wire::take_len(bytes)?;
                // An element that is not there is paid for by no byte of a value.
                let run = |bytes: &mut &[u8]| match wire::take_u32(bytes)? {
                    0 => Err(ValueError::said("a run of its type has no elements")),
                    count => Ok((count, read(bytes)?)),
                };
                Shape::Tuple((0..count).map(|_| run(bytes)).collect::<Result<_, ValueError>>()?)
            }
            tag::STRUCT => {
                let count = wire::take_len(bytes)?;
                let member = |bytes: &mut &[u8]| {
                    let name = wire::take_str(bytes)?.to_owned().into();
                    let is_optional = wire::take(bytes, 1)?[0] != 0;
                    let shape = read(bytes)?;
                    Ok(Member { name, is_optional, is_alias: false, shape })
                };
                let list = (0..count).map(|_| member(bytes)).collect::<Result<_, ValueError>>()?;
                Shape::Struct(Members::new(list))
            }
            tag::ENUM => {
                let count = wire::take_len(bytes)?;
                let variant = |bytes: &mut &[u8]| {
                    let name = wire::take_str(bytes)?.to_owned().into();
                    Ok(Variant { name, shape: read(bytes)? })
                };
                Shape::Enum((0..count).map(|_| variant(bytes)).collect::<Result<_, ValueError>>()?)
            }
            other => Shape::Plain(
                plain_of(other).ok_or_else(|| ValueError::said("its type is unknown"))?,
            ),
        })
    }
}

/// The number of elements of a tuple; arrays are a single run.
#[inline]
pub(super) fn total(runs: &[(u32, Shape)]) -> u64 {
    match runs {
        [(count, _)] => u64::from(*count),
        runs => sum(runs),
    }
}

fn sum(runs: &[(u32, Shape)]) -> u64 {
    runs.iter().map(|(count, _)| u64::from(*count)).sum()
}

/// Skips a text, if it comes next.
fn skip(rest: &mut &str, text: &str) -> bool {
    let after = rest.strip_prefix(text);
    *rest = after.unwrap_or(rest);
    after.is_some()
}
