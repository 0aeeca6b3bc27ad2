//! The variants of enums, by their names.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, VariantAccess, Visitor};

use super::super::shape::{ANY, Plain, Shape, Variant};
use super::super::{ValueError, wire};
use super::{Decoder, Result};

impl<'b, 'de> Decoder<'b, 'de> {
    pub(super) fn chosen(self, variants: Option<&'b [Variant]>) -> Result<Chosen<'b, 'de>> {
        let (name, shape): (Name<'b, 'de>, _) = match variants {
            None => (Name::Own(wire::take_str(&mut self.input.bytes)?), &ANY),
            Some(variants) => {
                let place = wire::take_u64(&mut self.input.bytes)?;
                let variant = usize::try_from(place).ok().and_then(|place| variants.get(place));
                let variant =
                    variant.ok_or_else(|| ValueError::said("it is no variant of its type"))?;
                (Name::Shape(&variant.name), &variant.shape)
            }
        };
        Ok(Chosen { name, content: Decoder { input: self.input, shape } })
    }

    /// As self-describing formats have it, which is what serde expects there: the name, or a map of
    /// the name to what the variant holds.
    pub(super) fn variant_as_any<V: Visitor<'de>>(
        self,
        variants: Option<&'b [Variant]>,
        visitor: V,
    ) -> Result<V::Value> {
        let Chosen { name, content } = self.chosen(variants)?;
        let is_unit = match content.shape {
            Shape::Any => content.input.bytes.first() == Some(&(Plain::Unit as u8)),
            shape => *shape == Shape::Plain(Plain::Unit),
        };
        if is_unit {
            content.expect(Plain::Unit)?;
            return visitor.visit_str(name.text());
        }
        let Decoder { input, shape } = content;
        input.within(|input| {
            let content = Some(Decoder { input, shape });
            visitor.visit_map(Single { name: Some(name), content })
        })
    }
}

/// The name of a variant: of the shape, or from the value.
pub(super) enum Name<'b, 'de> {
    Shape(&'b str),
    Own(&'de str),
}

impl Name<'_, '_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Name::Shape(name) | Name::Own(name) => name,
        }
    }
}

pub(super) struct Chosen<'b, 'de> {
    pub(super) name: Name<'b, 'de>,
    content: Decoder<'b, 'de>,
}

impl<'b, 'de> EnumAccess<'de> for Chosen<'b, 'de> {
    type Error = ValueError;
    type Variant = Decoder<'b, 'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Decoder<'b, 'de>)> {
        let name = seed.deserialize(StrDeserializer::<ValueError>::new(self.name.text()))?;
        Ok((name, self.content))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<()> {
        self.expect(Plain::Unit).map(drop)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let Decoder { input, shape } = self;
        input.within(|input| seed.deserialize(Decoder { input, shape }))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// A variant as a map of one entry.
struct Single<'b, 'de> {
    name: Option<Name<'b, 'de>>,
    content: Option<Decoder<'b, 'de>>,
}

impl<'de> MapAccess<'de> for Single<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(StrDeserializer::new(name.text()))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let content = self.content.take().ok_or_else(|| ValueError::said("it ends early"))?;
        seed.deserialize(content)
    }
}
