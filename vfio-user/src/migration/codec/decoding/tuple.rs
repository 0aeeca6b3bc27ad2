//! The elements of a tuple or an array.

use serde::de::{DeserializeSeed, SeqAccess};

use super::super::shape::{ANY, Shape, total};
use super::super::{ValueError, wire};
use super::input::Input;
use super::{Decoder, Result};

pub(super) struct Tuple<'b, 'de> {
    input: &'b mut Input<'de>,
    /// How many elements of this shape are still to be read.
    left_of_run: u64,
    shape: &'b Shape,
    /// The runs of elements that follow them.
    runs: &'b [(u32, Shape)],
    left: usize,
    depth: u8,
}

impl<'b, 'de> Decoder<'b, 'de> {
    /// `wanted` is the number of elements that the reader takes, if it is not any number.
    #[inline]
    pub(super) fn tuple(
        self,
        runs: Option<&'b [(u32, Shape)]>,
        wanted: Option<usize>,
    ) -> Result<Tuple<'b, 'de>> {
        let (len, left_of_run) = match runs {
            None => {
                let len = wire::take_len(&mut self.input.bytes)? as u64;
                (len, len)
            }
            Some(runs) => (total(runs), 0),
        };
        match wanted {
            Some(wanted) if wanted as u64 == len => {}
            Some(wanted) => return Err(other_length(len, wanted)),
            // A reader of anything has no number of its own.
            None => self.input.spend(len)?,
        }
        let (left, depth) = (usize::try_from(len).unwrap_or(usize::MAX), self.input.deeper()?);
        let (input, runs) = (self.input, runs.unwrap_or_default());
        Ok(Tuple { input, left_of_run, shape: &ANY, runs, left, depth })
    }
}

#[cold]
fn other_length(len: u64, wanted: usize) -> ValueError {
    ValueError::new(format!("it has {len} elements in the state and {wanted} in this version"))
}

impl<'de> SeqAccess<'de> for Tuple<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        while self.left_of_run == 0 {
            let Some(((count, shape), rest)) = self.runs.split_first() else { return Ok(None) };
            (self.left_of_run, self.shape, self.runs) = (u64::from(*count), shape, rest);
        }
        self.left_of_run -= 1;
        self.left = self.left.saturating_sub(1);
        self.input.depth = self.depth;
        let element = Decoder { input: self.input, shape: self.shape };
        seed.deserialize(element).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
