//! Reading what [`writing`](super::writing) wrote. The bytes are hostile.

mod limits;

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

pub(super) use limits::Limits;

/// What reads a value, a part of one or a collection, by name and within limits.
pub(super) struct Seed<'a, T> {
    inner: T,
    limits: Limits<'a>,
    /// Whether the elements of this collection are counted: those of a tuple have a number that the
    /// reader's type gives, so a stream cannot have more of them.
    counts: bool,
}

impl<'a, T> Seed<'a, T> {
    pub(super) fn new(inner: T, limits: Limits<'a>) -> Self {
        Seed { inner, limits, counts: true }
    }

    /// For a tuple or an array.
    fn of_tuple(inner: T, limits: Limits<'a>) -> Self {
        Seed { counts: false, ..Seed::new(inner, limits) }
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Seed::new(deserializer, self.limits.deeper()?))
    }
}

macro_rules! pass_on {
    ($($method:ident($($argument:ident: $ty:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $ty,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Seed::new(visitor, self.limits))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Seed<'_, D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any() deserialize_bool() deserialize_char()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_identifier() deserialize_ignored_any()
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, Seed::of_tuple(visitor, self.limits))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, Seed::of_tuple(visitor, self.limits))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Fields { visitor, known: fields, limits: self.limits })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(2, Variants { visitor, known: variants, limits: self.limits })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! visit_plain {
    ($($method:ident($ty:ty))*) => {$(
        fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Seed<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit_plain! {
        visit_bool(bool) visit_char(char)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Seed::new(deserializer, self.limits.deeper()?))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Seed::new(deserializer, self.limits.deeper()?))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        let Seed { inner, limits, counts } = self;
        inner.visit_seq(Seed { inner: elements, limits, counts })
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Seed::new(entries, self.limits))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Seed<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let next = self.inner.next_element_seed(Seed::new(seed, self.limits))?;
        if next.is_some() && self.counts {
            self.limits.take_element()?;
        }
        Ok(next)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Seed<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let next = self.inner.next_key_seed(Seed::new(seed, self.limits))?;
        if next.is_some() {
            self.limits.take_element()?;
        }
        Ok(next)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Seed::new(seed, self.limits))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The fields of a struct, from a map of their names.
struct Fields<'a, V> {
    visitor: V,
    known: &'static [&'static str],
    limits: Limits<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Fields<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let Fields { visitor, known, limits } = self;
        visitor.visit_map(FieldsOf { entries, known, limits })
    }
}

struct FieldsOf<'a, A> {
    entries: A,
    known: &'static [&'static str],
    limits: Limits<'a>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FieldsOf<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let name = self.entries.next_key_seed(Name { known: self.known, is_variant: false })?;
        name.map(|name| seed.deserialize(identifier(name))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.entries.next_value_seed(Seed::new(seed, self.limits))
    }
}

/// A variant, from its name and what it holds.
struct Variants<'a, V> {
    visitor: V,
    known: &'static [&'static str],
    limits: Limits<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Variants<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let Variants { visitor, known, limits } = self;
        visitor.visit_enum(VariantOf { parts, known, limits })
    }
}

struct VariantOf<'a, A> {
    parts: A,
    known: &'static [&'static str],
    limits: Limits<'a>,
}

impl<'de, A: SeqAccess<'de>> EnumAccess<'de> for VariantOf<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<(T::Value, Self), A::Error> {
        let name = self.parts.next_element_seed(Name { known: self.known, is_variant: true })?;
        let name = name.ok_or_else(|| A::Error::custom("no variant"))?;
        Ok((seed.deserialize(identifier(name))?, self))
    }
}

impl<'de, A: SeqAccess<'de>> VariantOf<'_, A> {
    /// What the variant holds.
    fn content<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, A::Error> {
        let content = self.parts.next_element_seed(Seed::new(seed, self.limits))?;
        content.ok_or_else(|| A::Error::custom("a variant without content"))
    }
}

impl<'de, A: SeqAccess<'de>> VariantAccess<'de> for VariantOf<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.content(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.content(Tuple { len, visitor })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.content(Struct { fields, visitor })
    }
}

struct Tuple<V> {
    len: usize,
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Tuple<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_tuple(self.len, self.visitor)
    }
}

struct Struct<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Struct<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_struct("", self.fields, self.visitor)
    }
}

/// A name, one of those that are known.
struct Name {
    known: &'static [&'static str],
    is_variant: bool,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let known = self.known.iter().find(|known| **known == name);
        known.copied().ok_or_else(|| {
            if self.is_variant {
                E::unknown_variant(name, self.known)
            } else {
                E::unknown_field(name, self.known)
            }
        })
    }
}

fn identifier<E: Error>(name: &'static str) -> StrDeserializer<'static, E> {
    name.into_deserializer()
}
