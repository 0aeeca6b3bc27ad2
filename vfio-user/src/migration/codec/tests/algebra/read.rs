//! A value, read as derived ones are.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{NAMES, Plain, Type, Value, Variant};

impl<'de> DeserializeSeed<'de> for &Type {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self {
            Type::Plain(plain) => match plain {
                Plain::Bool => from.deserialize_bool(self),
                Plain::U8 => from.deserialize_u8(self),
                Plain::U16 => from.deserialize_u16(self),
                Plain::U32 => from.deserialize_u32(self),
                Plain::U64 => from.deserialize_u64(self),
                Plain::U128 => from.deserialize_u128(self),
                Plain::I8 => from.deserialize_i8(self),
                Plain::I16 => from.deserialize_i16(self),
                Plain::I32 => from.deserialize_i32(self),
                Plain::I64 => from.deserialize_i64(self),
                Plain::I128 => from.deserialize_i128(self),
                Plain::F32 => from.deserialize_f32(self),
                Plain::F64 => from.deserialize_f64(self),
                Plain::Char => from.deserialize_char(self),
                Plain::Str => from.deserialize_string(self),
                Plain::Bytes => from.deserialize_byte_buf(self),
                Plain::Unit => from.deserialize_unit(self),
            },
            Type::Option(_) => from.deserialize_option(self),
            Type::Seq(_) => from.deserialize_seq(self),
            Type::Map(_) => from.deserialize_map(self),
            Type::Array(_, len) => from.deserialize_tuple(*len, self),
            Type::Tuple(of) => from.deserialize_tuple(of.len(), self),
            Type::Newtype(_) => from.deserialize_newtype_struct("N", self),
            Type::Struct(of) => from.deserialize_struct("S", &NAMES[..of.len()], self),
            Type::Enum(of) => from.deserialize_enum("E", &NAMES[..of.len()], self),
        }
    }
}

macro_rules! visit {
    ($($method:ident($ty:ty): $plain:ident => $value:expr;)*) => {$(
        fn $method<E: Error>(self, value: $ty) -> Result<Value, E> {
            assert!(matches!(self, Type::Plain(Plain::$plain)), "{self:?}");
            Ok($value(value.into()))
        }
    )*};
}

impl<'de> Visitor<'de> for &Type {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }

    visit! {
        visit_bool(bool): Bool => Value::Bool;
        visit_u8(u8): U8 => Value::Unsigned;
        visit_u16(u16): U16 => Value::Unsigned;
        visit_u32(u32): U32 => Value::Unsigned;
        visit_u64(u64): U64 => Value::Unsigned;
        visit_u128(u128): U128 => Value::Unsigned;
        visit_i8(i8): I8 => Value::Signed;
        visit_i16(i16): I16 => Value::Signed;
        visit_i32(i32): I32 => Value::Signed;
        visit_i64(i64): I64 => Value::Signed;
        visit_i128(i128): I128 => Value::Signed;
        visit_char(char): Char => Value::Char;
        visit_str(&str): Str => Value::Str;
        visit_bytes(&[u8]): Bytes => Value::Bytes;
    }

    fn visit_f32<E: Error>(self, value: f32) -> Result<Value, E> {
        Ok(Value::Float(value.to_bits().into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value.to_bits()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::List(Vec::new()))
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Type::Option(of) = self else { unreachable!("{self:?}") };
        Ok(Value::Option(Some(Box::new(of.deserialize(from)?))))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Type::Newtype(of) = self else { unreachable!("{self:?}") };
        of.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        match self {
            Type::Array(of, len) => read_tuple(std::iter::repeat_n(&**of, *len), elements),
            Type::Tuple(of) | Type::Struct(of) => read_tuple(of.iter(), elements),
            Type::Seq(of) => {
                let mut list = Vec::new();
                while let Some(value) = elements.next_element_seed(&**of)? {
                    list.push(value);
                }
                Ok(Value::List(list))
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        match self {
            Type::Struct(of) => read_struct(of, entries),
            Type::Map(of) => {
                let mut pairs = Vec::new();
                while let Some(key) = entries.next_key_seed(&of.0)? {
                    pairs.push((key, entries.next_value_seed(&of.1)?));
                }
                Ok(Value::Map(pairs))
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let Type::Enum(variants) = self else { unreachable!("{self:?}") };
        let (name, data): (String, _) = data.variant()?;
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        let content = match &variants[place] {
            Variant::Unit => data.unit_variant().map(|()| Vec::new())?,
            Variant::Newtype(of) => vec![data.newtype_variant_seed(of)?],
            Variant::Tuple(of) => list(data.tuple_variant(of.len(), &Type::Tuple(of.clone()))?),
            Variant::Struct(of) => {
                list(data.struct_variant(&NAMES[..of.len()], &Type::Struct(of.clone()))?)
            }
        };
        Ok(Value::Variant(place, content))
    }
}

fn list(value: Value) -> Vec<Value> {
    let Value::List(list) = value else { unreachable!("{value:?}") };
    list
}

fn read_tuple<'de, 't, A: SeqAccess<'de>>(
    types: impl Iterator<Item = &'t Type>,
    mut elements: A,
) -> Result<Value, A::Error> {
    let read = |of| elements.next_element_seed(of)?.ok_or_else(|| A::Error::custom("too few"));
    Ok(Value::List(types.map(read).collect::<Result<_, _>>()?))
}

fn read_struct<'de, A: MapAccess<'de>>(types: &[Type], mut map: A) -> Result<Value, A::Error> {
    let mut read = vec![None; types.len()];
    while let Some(name) = map.next_key::<String>()? {
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        read[place] = Some(map.next_value_seed(&types[place])?);
    }
    let read = read.into_iter().map(|value| value.ok_or_else(|| A::Error::custom("too few")));
    Ok(Value::List(read.collect::<Result<_, _>>()?))
}
