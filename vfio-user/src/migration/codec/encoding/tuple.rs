//! Tuples and arrays.

use serde::ser::{Serialize, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};

use super::super::ValueError;
use super::super::shape::{ANY, Plain, Shape};
use super::{Encoder, Result, Writer};

/// The elements of a tuple or an array.
pub(super) struct Tuple<'a> {
    out: &'a mut Writer,
    /// How many elements of this shape are still to be written.
    left: u64,
    shape: &'a Shape,
    /// The runs of elements that follow them.
    runs: &'a [(u32, Shape)],
    is_bytes: bool,
}

impl<'a> Tuple<'a> {
    /// Elements of a shape each, or so many `untyped` ones.
    #[inline]
    pub(super) fn new(
        out: &'a mut Writer,
        runs: &'a [(u32, Shape)],
        untyped: usize,
    ) -> Result<Self> {
        out.enter()?;
        Ok(Tuple { out, left: untyped as u64, shape: &ANY, runs, is_bytes: false })
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if self.left == 0 {
            let ((count, shape), rest) = self.runs.split_first().ok_or_else(wrong_count)?;
            (self.left, self.shape, self.runs) = (u64::from(*count), shape, rest);
            self.is_bytes = matches!(shape, Shape::Plain(Plain::U8));
        }
        self.left -= 1;
        // The compiler sees the first of these shapes, so that no byte is compared with it.
        let shape = if self.is_bytes { &Shape::Plain(Plain::U8) } else { self.shape };
        value.serialize(Encoder { out: self.out, shape })
    }

    #[inline]
    fn complete(self) -> Result<()> {
        self.out.leave();
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
