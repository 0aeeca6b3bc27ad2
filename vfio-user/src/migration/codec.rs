//! How values are written. Nothing outside of this file and its folder knows the codec.
//!
//! A value is written along its [`Shape`], which travels beside it: names are in the shape, and the
//! value is numbers and texts in its order. A reader compares the shape with what it reads, so that
//! no type is taken for another one. Streams of format 1 are written otherwise; they are only read.

mod alike;
mod decoding;
mod encoding;
mod reading;
mod shape;
mod tracing;
mod wire;

use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{LazyLock, Mutex, PoisonError};

use bincode::error::DecodeError;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::printable::printable;
pub(super) use encoding::encode;
use reading::{Limits, Seed};
pub(crate) use shape::{Plain, Shape};

/// The codec's number in the hello frame.
pub(super) const CODEC: u16 = 2;
/// That of format 1.
pub(super) const CODEC_1: u16 = 1;

/// Values inside one another, at most: the stack has an end.
const MAX_DEPTH: u8 = 64;

/// The largest shape, in bytes. Values of what is larger say themselves what they are.
const MAX_SHAPE: usize = 1 << 16;

/// The largest value of format 1, in bytes. Without a limit, a few hostile bytes make the codec
/// allocate whatever they say.
const LIMIT: usize = super::MAX_STATE;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
>;
const CONFIG: Config = bincode::config::standard().with_limit::<LIMIT>();

/// A value that cannot be written, or bytes that are not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.text)]
pub struct ValueError(Box<Problem>);

/// Boxed, so that the result of reading a number takes two registers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    text: String,
    /// The field that was given twice.
    twice: Option<&'static str>,
}

/// The shape of a type, as it is read.
pub(crate) fn shape_of<T: DeserializeOwned + 'static>() -> &'static Shape {
    // There are as many as there are types of fields in a program.
    static SHAPES: LazyLock<Mutex<HashMap<TypeId, &'static Shape>>> = LazyLock::new(Mutex::default);
    let shapes = || SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    let id = TypeId::of::<T>();
    if let Some(shape) = shapes().get(&id) {
        return shape;
    }
    let shape = trace(|| PhantomData::<T>, false);
    // Another thread may have been faster.
    shapes().entry(id).or_insert_with(|| Box::leak(Box::new(shape)))
}

/// The shape of a type, with the values of it that are refused.
pub(crate) fn accepted_by<T: DeserializeOwned + 'static>() -> Shape {
    limited(tracing::accepted(|| PhantomData::<T>))
}

/// The shape of what a seed reads.
fn trace<'de, S: DeserializeSeed<'de>>(read: impl Fn() -> S, is_finite: bool) -> Shape {
    limited(tracing::shape(read, is_finite))
}

fn limited(shape: Shape) -> Shape {
    if shape_bytes(&shape).len() > MAX_SHAPE { Shape::Any } else { shape }
}

/// Takes the shape in front of a value: one that `before` has had, or one of its own.
pub(super) fn take_shape<'a>(
    bytes: &mut &'a [u8],
    before: impl Fn(usize) -> Option<&'a [u8]>,
) -> Result<&'a [u8], ValueError> {
    match wire::take_u64(bytes)? {
        0 => {
            let len = wire::take_len(bytes)?;
            wire::take(bytes, len)
        }
        place => {
            let place = usize::try_from(place - 1).ok();
            place.and_then(before).ok_or_else(|| ValueError::said("its type is unknown"))
        }
    }
}

/// Appends a shape in front of a value, or the place of a field that has the same.
pub(super) fn put_shape(shape: &[u8], before: Option<usize>, out: &mut Vec<u8>) {
    if let Some(place) = before {
        return wire::put_len(out, place + 1);
    }
    wire::put(out, 0);
    wire::put_len(out, shape.len());
    out.extend_from_slice(shape);
}

/// The bytes of a shape.
pub(super) fn shape_bytes(shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    shape.write(&mut bytes);
    bytes
}

/// The shape that is all of `bytes`.
pub(super) fn read_shape(mut bytes: &[u8]) -> Result<Shape, ValueError> {
    if bytes.len() > MAX_SHAPE {
        return Err(ValueError::said("its type is too large"));
    }
    let shape = Shape::read(&mut bytes)?;
    all_of(bytes, shape)
}

/// Reads a value of a shape that is all of `bytes`.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], shape: &Shape) -> Result<T, ValueError> {
    decode_seed(PhantomData::<T>, bytes, shape)
}

fn decode_seed<'de, T>(seed: T, bytes: &'de [u8], shape: &Shape) -> Result<T::Value, ValueError>
where
    T: DeserializeSeed<'de>,
{
    let (value, rest) = decoding::decode(seed, bytes, shape)?;
    all_of(rest, value)
}

fn all_of<T>(rest: &[u8], value: T) -> Result<T, ValueError> {
    match rest.len() {
        0 => Ok(value),
        rest => Err(ValueError::new(format!("{rest} bytes are left over"))),
    }
}

/// The depth of what is inside a value at this depth.
#[inline]
fn deeper(depth: u8) -> Result<u8, ValueError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(too_deep()) }
}

#[cold]
fn too_deep() -> ValueError {
    ValueError::new(format!("it is nested more than {MAX_DEPTH} deep"))
}

/// Reads a value of format 1 that is all of `bytes`.
pub(super) fn decode_1<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    decode_seed_1(PhantomData::<T>, bytes)
}

fn decode_seed_1<'de, T>(seed: T, bytes: &'de [u8]) -> Result<T::Value, ValueError>
where
    T: DeserializeSeed<'de>,
{
    // Every element has a size, so there are no more of them than bytes.
    let elements = Cell::new(bytes.len());
    let seed = Seed::new(seed, Limits::new(&elements));
    let (value, used) = bincode::serde::seed_decode_from_slice(seed, bytes, CONFIG)?;
    all_of(&bytes[used..], value)
}

impl From<DecodeError> for ValueError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::OtherString(text) => ValueError::new(text),
            DecodeError::UnexpectedEnd { .. } => ValueError::said("it ends early"),
            DecodeError::LimitExceeded => ValueError::said("it is too large"),
            other => ValueError::new(other.to_string()),
        }
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        ValueError::new(text.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        ValueError::new(text.to_string())
    }

    fn duplicate_field(field: &'static str) -> Self {
        let mut error = ValueError::new(format!("it has the field `{field}` twice"));
        error.0.twice = Some(field);
        error
    }
}

impl ValueError {
    /// Names in it may be a stream's, and as long as that likes.
    #[cold]
    pub(super) fn new(mut text: String) -> Self {
        const LONGEST: usize = 200;
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
        }
        ValueError(Box::new(Problem { text: printable(&text), twice: None }))
    }

    #[cold]
    fn said(text: &str) -> Self {
        ValueError::new(text.to_owned())
    }

    /// The field of the reader that was given twice, if that is what is wrong.
    fn twice(&self) -> Option<&'static str> {
        self.0.twice
    }
}

#[cfg(test)]
mod tests;
