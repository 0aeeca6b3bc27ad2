//! The elements of a list, or the entries of a map.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::super::shape::Shape;
use super::super::{ValueError, wire};
use super::limits::Limits;
use super::{Decoder, Result};

pub(super) struct Elements<'b, 'de> {
    bytes: &'b mut &'de [u8],
    /// Of a key, or of an element, and of a value.
    of: (&'b Shape, &'b Shape),
    is_padded: bool,
    left: usize,
    limits: Limits<'b>,
}

impl<'b, 'de> Decoder<'b, 'de> {
    #[inline]
    pub(super) fn elements(self, of: (&'b Shape, &'b Shape)) -> Result<Elements<'b, 'de>> {
        let left = wire::take_len(self.bytes)?;
        let limits = self.limits.deeper()?;
        // An empty list does not pay for a look at a large shape.
        let is_padded = left > 0 && of.0.is_empty();
        Ok(Elements { bytes: self.bytes, of, is_padded, left, limits })
    }
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn first<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.is_padded {
            wire::take_array::<1>(self.bytes)?;
        }
        let element = Decoder { bytes: self.bytes, shape: self.of.0, limits: self.limits };
        seed.deserialize(element).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.first(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.first(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(Decoder { bytes: self.bytes, shape: self.of.1, limits: self.limits })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
