//! Tuples and arrays.

use serde::ser::{Serialize, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};

use super::super::shape::{ANY, Shape};
use super::super::{ValueError, deeper};
use super::{Encoder, Result, Writer};

/// The elements of a tuple or an array.
pub(super) struct Tuple<'a> {
    out: &'a mut Writer,
    /// How many elements of this shape are still to be written.
    left: u64,
    shape: &'a Shape,
    /// The runs of elements that follow them.
    runs: &'a [(u32, Shape)],
    depth: u8,
}

impl<'a> Tuple<'a> {
    /// Elements of a shape each, or so many `untyped` ones.
    #[inline]
    pub(super) fn new(
        out: &'a mut Writer,
        runs: &'a [(u32, Shape)],
        untyped: usize,
    ) -> Result<Self> {
        let depth = deeper(out.depth)?;
        Ok(Tuple { out, left: untyped as u64, shape: &ANY, runs, depth })
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if self.left == 0 {
            let ((count, shape), rest) = self.runs.split_first().ok_or_else(wrong_count)?;
            (self.left, self.shape, self.runs) = (u64::from(*count), shape, rest);
        }
        self.left -= 1;
        self.out.depth = self.depth;
        value.serialize(Encoder { out: self.out, shape: self.shape })
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
