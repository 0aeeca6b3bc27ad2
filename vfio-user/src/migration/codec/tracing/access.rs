//! The parts of a value that is read from nothing.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::super::ValueError;
use super::super::shape::Plain;
use super::Result;
use super::probe::Probe;
use super::trace::TraceKind;

/// Each part once: of a tuple, the one element of a list, key and value of a map.
pub(super) struct Parts<'t> {
    pub(super) probe: Probe<'t>,
    pub(super) parts: std::vec::IntoIter<usize>,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.parts.next().map(|part| seed.deserialize(self.probe.part(part))).transpose()
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.parts.next().map(|part| seed.deserialize(self.probe.part(part))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let part = self.parts.next().ok_or_else(|| ValueError::said("it has no value"))?;
        seed.deserialize(self.probe.part(part))
    }
}

/// The fields of a struct, but for one that is left out.
pub(super) struct Fields<'t> {
    pub(super) probe: Probe<'t>,
    pub(super) next: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let node = self.probe.node;
        let mut trace = self.probe.trace.borrow_mut();
        let TraceKind::Struct(fields) = &trace.nodes[node].kind else { return Ok(None) };
        let is_omitted = |place: usize| trace.omit == Some((node, place));
        let rest = fields.iter().enumerate().skip(self.next);
        let given = rest.clone().find(|(place, field)| !field.is_alias && !is_omitted(*place));
        let given = given.map(|(place, field)| (place, field.name));
        let has_omitted = rest.into_iter().any(|(place, _)| is_omitted(place));
        trace.has_omitted |= has_omitted;
        let Some((place, name)) = given else { return Ok(None) };
        self.next = place + 1;
        trace.named = Some((node, place));
        drop(trace);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let mut trace = self.probe.trace.borrow_mut();
        trace.named = None;
        let TraceKind::Struct(fields) = &trace.nodes[self.probe.node].kind else {
            return Err(ValueError::said("it has no value"));
        };
        let part = fields[self.next - 1].node;
        drop(trace);
        seed.deserialize(self.probe.part(part))
    }
}

/// A variant of an enum.
pub(super) struct Chosen<'t> {
    pub(super) name: &'static str,
    pub(super) content: Probe<'t>,
}

impl<'de, 't> EnumAccess<'de> for Chosen<'t> {
    type Error = ValueError;
    type Variant = Probe<'t>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Probe<'t>)> {
        let name = StrDeserializer::<ValueError>::new(self.name);
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<()> {
        self.value(Plain::Unit);
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields, visitor)
    }
}
