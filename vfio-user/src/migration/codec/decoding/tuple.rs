//! The elements of a tuple or an array.

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::super::shape::{ANY, Plain, Shape, total};
use super::super::{ValueError, wire};
use super::input::Input;
use super::{Decoder, Result};

struct Tuple<'b, 'de> {
    input: &'b mut Input<'de>,
    /// How many elements of this shape are still to be read.
    left: u64,
    shape: &'b Shape,
    is_bytes: bool,
    /// The runs of elements that follow them.
    runs: &'b [(u32, Shape)],
}

impl<'b, 'de> Decoder<'b, 'de> {
    /// `wanted` is the number of elements that the reader takes, if it is not any number.
    #[inline]
    pub(super) fn tuple<V: Visitor<'de>>(
        self,
        runs: Option<&'b [(u32, Shape)]>,
        wanted: Option<usize>,
        visitor: V,
    ) -> Result<V::Value> {
        self.input.within(|input| {
            let tuple = Tuple::new(input, runs)?;
            let len = tuple.len();
            match wanted {
                Some(wanted) if wanted as u64 == len => {}
                Some(wanted) => return Err(other_length(len, wanted)),
                // A reader of anything has no number of its own.
                None => tuple.input.spend(len)?,
            }
            visitor.visit_seq(tuple)
        })
    }
}

impl<'b, 'de> Tuple<'b, 'de> {
    #[inline]
    fn new(input: &'b mut Input<'de>, runs: Option<&'b [(u32, Shape)]>) -> Result<Self> {
        let (left, shape, runs) = match runs {
            None => (wire::take_len(&mut input.bytes)? as u64, &ANY, &[][..]),
            Some([(count, shape), runs @ ..]) => (u64::from(*count), shape, runs),
            Some([]) => (0, &ANY, &[][..]),
        };
        Ok(Tuple { input, left, shape, is_bytes: is_bytes(shape), runs })
    }

    #[inline]
    fn len(&self) -> u64 {
        self.left + total(self.runs)
    }

    /// Begins the next run of elements; returns whether there is one.
    #[inline(never)]
    fn begin_run(&mut self) -> bool {
        while self.left == 0 {
            let Some(((count, shape), rest)) = self.runs.split_first() else { return false };
            (self.left, self.shape, self.runs) = (u64::from(*count), shape, rest);
        }
        self.is_bytes = is_bytes(self.shape);
        true
    }
}

fn is_bytes(shape: &Shape) -> bool {
    matches!(shape, Shape::Plain(Plain::U8))
}

#[cold]
fn other_length(len: u64, wanted: usize) -> ValueError {
    ValueError::new(format!("it has {len} elements in the state and {wanted} in this version"))
}

impl<'de> SeqAccess<'de> for Tuple<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 && !self.begin_run() {
            return Ok(None);
        }
        self.left -= 1;
        // The compiler sees the first of these shapes, so that no byte is compared with it.
        let shape = if self.is_bytes { &Shape::Plain(Plain::U8) } else { self.shape };
        seed.deserialize(Decoder { input: self.input, shape }).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.len()).ok()
    }
}
