//! The elements of a list, or the entries of a map.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::super::shape::{Plain, Shape};
use super::super::{ValueError, wire};
use super::input::Input;
use super::{Decoder, Result};

struct Elements<'b, 'de> {
    input: &'b mut Input<'de>,
    /// Of a key, or of an element, and of a value.
    of: (&'b Shape, &'b Shape),
    is_bytes: bool,
    is_padded: bool,
    left: usize,
}

impl<'b, 'de> Decoder<'b, 'de> {
    #[inline]
    pub(super) fn list<V: Visitor<'de>>(self, of: &'b Shape, visitor: V) -> Result<V::Value> {
        self.input.within(|input| visitor.visit_seq(Elements::new(input, (of, of))?))
    }

    pub(super) fn map<V: Visitor<'de>>(
        self,
        key: &'b Shape,
        value: &'b Shape,
        visitor: V,
    ) -> Result<V::Value> {
        self.input.within(|input| visitor.visit_map(Elements::new(input, (key, value))?))
    }
}

impl<'b, 'de> Elements<'b, 'de> {
    #[inline]
    fn new(input: &'b mut Input<'de>, of: (&'b Shape, &'b Shape)) -> Result<Self> {
        let left = wire::take_len(&mut input.bytes)?;
        // An empty list does not pay for a look at a large shape.
        let is_padded = left > 0 && of.0.is_empty();
        let is_bytes = matches!(of.0, Shape::Plain(Plain::U8));
        Ok(Elements { input, of, is_bytes, is_padded, left })
    }
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn first<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.is_bytes {
            // The compiler sees this shape, so that no byte is compared with it.
            let shape = &Shape::Plain(Plain::U8);
            return seed.deserialize(Decoder { input: self.input, shape }).map(Some);
        }
        if self.is_padded {
            self.input.byte()?;
        }
        let element = Decoder { input: self.input, shape: self.of.0 };
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
        seed.deserialize(Decoder { input: self.input, shape: self.of.1 })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
