//! What a value consists of: the type of a field, as it is written beside its value.
//!
//! Names are here and not in the values, so that a thousand structs have the names of their fields
//! once. Two versions of a device compare shapes before they look at a value.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{MAX_DEPTH, ValueError, wire};

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
    pub(crate) list: Vec<Member>,
    /// Names of fields that a reader has found to be these, in this order.
    pub(super) same_as: Memo,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Cow<'static, str>,
    /// A value may lack it.
    pub(crate) is_optional: bool,
    /// Another name, for reading alone.
    pub(crate) is_alias: bool,
    pub(crate) shape: Shape,
}

/// A variant of an enum, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: Cow<'static, str>,
    pub(crate) shape: Shape,
}

/// The address of something `'static`; it is compared, never used.
#[derive(Debug, Default)]
pub(super) struct Memo(AtomicUsize);

impl Memo {
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

    /// Appends it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Shape::Any => out.push(tag::ANY),
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
                let members = members.list.iter().filter(|member| !member.is_alias);
                wire::put_len(out, members.clone().count());
                for Member { name, is_optional, shape, .. } in members {
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
                let run = |bytes: &mut &[u8]| Ok((wire::take_u32(bytes)?, read(bytes)?));
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
                Shape::Struct(Members { list, same_as: Memo::default() })
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

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Any => f.write_str("any"),
            Shape::Plain(plain) => f.write_str(plain.name()),
            Shape::Option(of) => write!(f, "Option<{of}>"),
            Shape::Seq(of, _) if **of == Shape::Plain(Plain::U8) => f.write_str("bytes"),
            Shape::Seq(of, _) => write!(f, "[{of}]"),
            Shape::Map(of, _) => write!(f, "Map<{}, {}>", of.0, of.1),
            Shape::Tuple(runs) => match &runs[..] {
                [(count, shape)] if *count > 1 => write!(f, "[{shape}; {count}]"),
                _ => {
                    f.write_str("(")?;
                    list(f, runs.iter(), |f, (count, shape)| match count {
                        1 => write!(f, "{shape}"),
                        2 => write!(f, "{shape}, {shape}"),
                        count => write!(f, "{shape}; {count}"),
                    })?;
                    f.write_str(")")
                }
            },
            Shape::Struct(members) => {
                f.write_str("{")?;
                let members = members.list.iter().filter(|member| !member.is_alias);
                list(f, members, |f, Member { name, is_optional, shape, .. }| {
                    let optional = if *is_optional { "?" } else { "" };
                    write!(f, "{name}{optional}: {shape}")
                })?;
                f.write_str("}")
            }
            Shape::Enum(variants) => {
                f.write_str("<")?;
                for (place, Variant { name, shape }) in variants.iter().enumerate() {
                    let bar = if place > 0 { " | " } else { "" };
                    match shape {
                        Shape::Plain(Plain::Unit) => write!(f, "{bar}{name}")?,
                        shape @ (Shape::Tuple(_) | Shape::Struct(_)) => {
                            write!(f, "{bar}{name}{shape}")?;
                        }
                        shape => write!(f, "{bar}{name}({shape})")?,
                    }
                }
                f.write_str(">")
            }
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    mut show: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (place, item) in items.enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    Ok(())
}

impl Shape {
    /// Whether a value of the shape that a stream gives can be read as this one.
    ///
    /// # Errors
    ///
    /// What differs, with both types.
    pub(crate) fn accepts(&self, given: &Shape) -> Result<(), ValueError> {
        let mut path = Vec::new();
        self.accepts_at(given, &mut path).map_err(|problem| {
            if path.is_empty() {
                return ValueError::new(format!("it {problem}"));
            }
            path.reverse();
            ValueError::new(format!("`{}` in it {problem}", path.join(".")))
        })
    }

    fn accepts_at<'a>(&'a self, given: &'a Shape, path: &mut Vec<&'a str>) -> Result<(), String> {
        match (self, given) {
            (Shape::Any, _) | (_, Shape::Any) => Ok(()),
            (Shape::Plain(own), Shape::Plain(given)) if own == given => Ok(()),
            (Shape::Plain(Plain::Bytes), Shape::Seq(of, _))
            | (Shape::Seq(of, _), Shape::Plain(Plain::Bytes))
                if **of == Shape::Plain(Plain::U8) =>
            {
                Ok(())
            }
            (Shape::Option(own), Shape::Option(given))
            | (Shape::Seq(own, _), Shape::Seq(given, _)) => own.accepts_at(given, path),
            (Shape::Map(own, _), Shape::Map(given, _)) => {
                own.0.accepts_at(&given.0, path)?;
                own.1.accepts_at(&given.1, path)
            }
            (Shape::Tuple(own), Shape::Tuple(given)) if total(own) == total(given) => {
                pairs(own, given).try_for_each(|(own, given)| own.accepts_at(given, path))
            }
            (Shape::Struct(own), Shape::Struct(given)) => accepts_members(own, given, path),
            (Shape::Enum(own), Shape::Enum(given)) => {
                // A variant that only the stream has is refused when a value is one.
                given.iter().try_for_each(|variant| {
                    let own = own.iter().find(|own| own.name == variant.name);
                    own.map_or(Ok(()), |own| {
                        let accepted = own.shape.accepts_at(&variant.shape, path);
                        accepted.inspect_err(|_| path.push(&variant.name))
                    })
                })
            }
            (own, given) => Err(format!("is `{given}` in the state and `{own}` in this version")),
        }
    }
}

fn accepts_members<'a>(
    own: &'a Members,
    given: &'a Members,
    path: &mut Vec<&'a str>,
) -> Result<(), String> {
    for Member { name, is_optional, shape, .. } in &given.list {
        match own.list.iter().find(|own| own.name == *name) {
            Some(own) => {
                own.shape.accepts_at(shape, path).inspect_err(|_| path.push(name))?;
            }
            // A value may be without it; one that is not is refused.
            None if *is_optional => {}
            None => return Err(format!("has a field that this version does not have: `{name}`")),
        }
    }
    let names: Vec<_> = given.list.iter().map(|member| &member.name).collect();
    let aliases = own.list.iter().any(|own| own.is_alias && names.contains(&&own.name));
    let lacks = |own: &&Member| !own.is_optional && !aliases && !names.contains(&&own.name);
    match own.list.iter().find(lacks) {
        Some(own) => Err(format!("lacks the field `{}`", own.name)),
        None => Ok(()),
    }
}

pub(super) fn total(runs: &[(u32, Shape)]) -> u64 {
    runs.iter().map(|(count, _)| u64::from(*count)).sum()
}

/// The shapes of elements that are at the same places, each pair once.
fn pairs<'a>(
    own: &'a [(u32, Shape)],
    given: &'a [(u32, Shape)],
) -> impl Iterator<Item = (&'a Shape, &'a Shape)> {
    let starts = |runs: &'a [(u32, Shape)]| {
        let mut end = 0;
        runs.iter().map(move |(count, shape)| {
            end += u64::from(*count);
            (end, shape)
        })
    };
    let (mut own, mut given) = (starts(own).peekable(), starts(given).peekable());
    std::iter::from_fn(move || {
        let ((own_end, own_shape), (given_end, given_shape)) = (*own.peek()?, *given.peek()?);
        if own_end <= given_end {
            own.next();
        }
        if given_end <= own_end {
            given.next();
        }
        Some((own_shape, given_shape))
    })
}
