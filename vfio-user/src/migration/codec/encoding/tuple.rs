//! Tuples and arrays.

use serde::ser::{Serialize, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};

use super::super::ValueError;
use super::super::shape::{ANY, Shape};
use super::{Encoder, Result};

/// The elements of a tuple or an array.
pub(in super::super) struct Tuple<'a> {
    out: &'a mut Vec<u8>,
    /// How many elements of this shape are still to be written.
    left: u64,
    shape: &'a Shape,
    /// The runs of elements that follow them.
    runs: &'a [(u32, Shape)],
    depth: u8,
}

impl<'a> Tuple<'a> {
    /// A tuple of which each element has a shape.
    #[inline]
    pub(super) fn of_runs(out: &'a mut Vec<u8>, runs: &'a [(u32, Shape)], depth: u8) -> Self {
        Tuple { out, left: 0, shape: &ANY, runs, depth }
    }

    /// A tuple of elements that describe themselves.
    pub(super) fn of_any(out: &'a mut Vec<u8>, len: usize, depth: u8) -> Self {
        Tuple { out, left: len as u64, shape: &ANY, runs: &[], depth }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if self.left == 0 {
            let ((count, shape), rest) = self.runs.split_first().ok_or_else(wrong_count)?;
            (self.left, self.shape, self.runs) = (u64::from(*count), shape, rest);
        }
        self.left -= 1;
        value.serialize(Encoder { out: self.out, shape: self.shape, depth: self.depth })
    }

    #[inline]
    fn complete(self) -> Result<()> {
        if self.left == 0 && self.runs.is_empty() { Ok(()) } else { Err(wrong_count()) }
    }
}

#[cold]
fn wrong_count() -> ValueError {
    ValueError::said("a tuple has other elements than it says")
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

            #[inline]
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
