//! Types and values made at run time, written and read through serde as derived ones are.

use std::fmt;

use proptest::prelude::*;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleVariant, Serializer,
};

#[derive(Clone, Debug)]
pub(super) enum Type {
    Plain(Plain),
    Option(Box<Type>),
    Seq(Box<Type>),
    Map(Box<(Type, Type)>),
    Array(Box<Type>, usize),
    Tuple(Vec<Type>),
    Newtype(Box<Type>),
    Struct(Vec<Type>),
    Enum(Vec<Variant>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    Unit,
}

#[derive(Clone, Debug)]
pub(super) enum Variant {
    Unit,
    Newtype(Type),
    Tuple(Vec<Type>),
    Struct(Vec<Type>),
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    Unsigned(u128),
    Signed(i128),
    /// Its bits: there are numbers that are not equal to themselves.
    Float(u64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Variant(usize, Vec<Value>),
}

/// The entries of maps have no order, and may come twice.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Unsigned(one), Value::Unsigned(other)) => one == other,
            (Value::Signed(one), Value::Signed(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Char(one), Value::Char(other)) => one == other,
            (Value::Str(one), Value::Str(other)) => one == other,
            (Value::Bytes(one), Value::Bytes(other)) => one == other,
            (Value::Option(one), Value::Option(other)) => one == other,
            (Value::List(one), Value::List(other)) => one == other,
            (Value::Map(one), Value::Map(other)) => {
                let mut left: Vec<_> = other.iter().collect();
                let mut is_there = |pair: &(Value, Value)| {
                    let place = left.iter().position(|other| *other == pair);
                    place.map(|place| left.remove(place)).is_some()
                };
                one.iter().all(&mut is_there) && left.is_empty()
            }
            (Value::Variant(one, content), Value::Variant(other, others)) => {
                one == other && content == others
            }
            _ => false,
        }
    }
}

const NAMES: &[&str] = &["head", "tail", "r#mode", "a_rather_long_name", "e", "f", "Größe", "h"];

pub(super) fn types() -> impl Strategy<Value = Type> {
    use Plain::*;
    let plain =
        [Bool, U8, U16, U32, U64, U128, I8, I16, I32, I64, I128, F32, F64, Char, Str, Bytes, Unit];
    let leaf = proptest::sample::select(plain.to_vec()).prop_map(Type::Plain);
    leaf.prop_recursive(6, 40, 5, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 0..5);
        let variant = prop_oneof![
            Just(Variant::Unit),
            inner.clone().prop_map(Variant::Newtype),
            some().prop_map(Variant::Tuple),
            some().prop_map(Variant::Struct),
        ];
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            boxed.clone().prop_map(Type::Option),
            boxed.clone().prop_map(Type::Seq),
            (inner.clone(), inner.clone()).prop_map(|pair| Type::Map(Box::new(pair))),
            (boxed.clone(), 0..9_usize).prop_map(|(of, len)| Type::Array(of, len)),
            some().prop_map(Type::Tuple),
            boxed.prop_map(Type::Newtype),
            some().prop_map(Type::Struct),
            proptest::collection::vec(variant, 1..5).prop_map(Type::Enum),
        ]
    })
}

pub(super) fn values(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Plain(plain) => plain_values(*plain),
        Type::Option(of) => {
            proptest::option::of(values(of).prop_map(Box::new)).prop_map(Value::Option).boxed()
        }
        Type::Seq(of) => proptest::collection::vec(values(of), 0..5).prop_map(Value::List).boxed(),
        Type::Map(of) => {
            let pairs = proptest::collection::vec((values(&of.0), values(&of.1)), 0..4);
            pairs.prop_map(Value::Map).boxed()
        }
        Type::Array(of, len) => {
            proptest::collection::vec(values(of), *len).prop_map(Value::List).boxed()
        }
        Type::Newtype(of) => values(of),
        Type::Tuple(of) | Type::Struct(of) => all(of).prop_map(Value::List).boxed(),
        Type::Enum(variants) => {
            let of = |(place, variant): (usize, &Variant)| {
                let content = match variant {
                    Variant::Unit => Just(Vec::new()).boxed(),
                    Variant::Newtype(of) => all(std::slice::from_ref(of)),
                    Variant::Tuple(of) | Variant::Struct(of) => all(of),
                };
                content.prop_map(move |content| Value::Variant(place, content)).boxed()
            };
            proptest::strategy::Union::new(variants.iter().enumerate().map(of)).boxed()
        }
    }
}

fn all(types: &[Type]) -> BoxedStrategy<Vec<Value>> {
    types.iter().map(values).collect::<Vec<_>>().boxed()
}

fn plain_values(plain: Plain) -> BoxedStrategy<Value> {
    macro_rules! int {
        ($ty:ty, $shape:ident) => {
            prop_oneof![
                Just(<$ty>::MIN),
                Just(<$ty>::MAX),
                (-1..=3_i8).prop_map(|small| <$ty>::try_from(small).unwrap_or(5)),
                any::<$ty>()
            ]
            .prop_map(|value| Value::$shape(value.into()))
            .boxed()
        };
    }
    match plain {
        Plain::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Plain::U8 => int!(u8, Unsigned),
        Plain::U16 => int!(u16, Unsigned),
        Plain::U32 => int!(u32, Unsigned),
        Plain::U64 => int!(u64, Unsigned),
        Plain::U128 => int!(u128, Unsigned),
        Plain::I8 => int!(i8, Signed),
        Plain::I16 => int!(i16, Signed),
        Plain::I32 => int!(i32, Signed),
        Plain::I64 => int!(i64, Signed),
        Plain::I128 => int!(i128, Signed),
        Plain::F32 => any::<u32>().prop_map(|bits| Value::Float(bits.into())).boxed(),
        Plain::F64 => any::<u64>().prop_map(Value::Float).boxed(),
        Plain::Char => any::<char>().prop_map(Value::Char).boxed(),
        Plain::Str => any::<String>().prop_map(Value::Str).boxed(),
        Plain::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        Plain::Unit => Just(Value::List(Vec::new())).boxed(),
    }
}

/// The types without parts in a type, where it has values of them.
pub(super) fn leaves(ty: &mut Type) -> Vec<&mut Plain> {
    match ty {
        Type::Plain(plain) => vec![plain],
        Type::Array(_, 0) => Vec::new(),
        Type::Option(of) | Type::Seq(of) | Type::Array(of, _) | Type::Newtype(of) => leaves(of),
        Type::Map(of) => {
            let (key, value) = &mut **of;
            leaves(key).into_iter().chain(leaves(value)).collect()
        }
        Type::Tuple(of) | Type::Struct(of) => of.iter_mut().flat_map(leaves).collect(),
        Type::Enum(variants) => variants.iter_mut().flat_map(leaves_of_variant).collect(),
    }
}

fn leaves_of_variant(variant: &mut Variant) -> Vec<&mut Plain> {
    match variant {
        Variant::Unit => Vec::new(),
        Variant::Newtype(of) => leaves(of),
        Variant::Tuple(of) | Variant::Struct(of) => of.iter_mut().flat_map(leaves).collect(),
    }
}

/// Another type; lists of it are no list of the other's.
pub(super) fn another(plain: Plain) -> Plain {
    match plain {
        Plain::U32 => Plain::I32,
        Plain::Bool => Plain::U8,
        Plain::F32 => Plain::U32,
        Plain::Str => Plain::Bytes,
        _ => Plain::F32,
    }
}

/// A value of a type, to be written.
pub(super) struct Typed<'a>(pub(super) &'a Type, pub(super) &'a Value);

#[expect(clippy::cast_possible_truncation, reason = "made of as many bits")]
impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Type::Plain(plain), value) => write_plain(*plain, value, to),
            (Type::Option(_), Value::Option(None)) => to.serialize_none(),
            (Type::Option(of), Value::Option(Some(value))) => to.serialize_some(&Typed(of, value)),
            (Type::Seq(of), Value::List(list)) => {
                let mut seq = to.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| seq.serialize_element(&Typed(of, value)))?;
                seq.end()
            }
            (Type::Map(of), Value::Map(pairs)) => {
                let mut map = to.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(&Typed(&of.0, key), &Typed(&of.1, value))?;
                }
                map.end()
            }
            (Type::Array(of, len), Value::List(list)) => {
                let mut tuple = to.serialize_tuple(*len)?;
                list.iter().try_for_each(|value| tuple.serialize_element(&Typed(of, value)))?;
                tuple.end()
            }
            (Type::Tuple(of), Value::List(list)) => {
                let mut tuple = to.serialize_tuple(of.len())?;
                for (of, value) in of.iter().zip(list) {
                    tuple.serialize_element(&Typed(of, value))?;
                }
                tuple.end()
            }
            (Type::Newtype(of), value) => to.serialize_newtype_struct("N", &Typed(of, value)),
            (Type::Struct(of), Value::List(list)) => {
                let mut out = to.serialize_struct("S", of.len())?;
                for ((name, of), value) in NAMES.iter().zip(of).zip(list) {
                    out.serialize_field(name, &Typed(of, value))?;
                }
                out.end()
            }
            (Type::Enum(variants), Value::Variant(place, content)) => {
                write_variant(&variants[*place], *place as u32, content, to)
            }
            (ty, value) => unreachable!("{value:?} of {ty:?}"),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "made of as many bits")]
fn write_plain<S: Serializer>(plain: Plain, value: &Value, to: S) -> Result<S::Ok, S::Error> {
    match (plain, value) {
        (Plain::Bool, Value::Bool(value)) => to.serialize_bool(*value),
        (Plain::U8, Value::Unsigned(value)) => to.serialize_u8(*value as u8),
        (Plain::U16, Value::Unsigned(value)) => to.serialize_u16(*value as u16),
        (Plain::U32, Value::Unsigned(value)) => to.serialize_u32(*value as u32),
        (Plain::U64, Value::Unsigned(value)) => to.serialize_u64(*value as u64),
        (Plain::U128, Value::Unsigned(value)) => to.serialize_u128(*value),
        (Plain::I8, Value::Signed(value)) => to.serialize_i8(*value as i8),
        (Plain::I16, Value::Signed(value)) => to.serialize_i16(*value as i16),
        (Plain::I32, Value::Signed(value)) => to.serialize_i32(*value as i32),
        (Plain::I64, Value::Signed(value)) => to.serialize_i64(*value as i64),
        (Plain::I128, Value::Signed(value)) => to.serialize_i128(*value),
        (Plain::F32, Value::Float(bits)) => to.serialize_f32(f32::from_bits(*bits as u32)),
        (Plain::F64, Value::Float(bits)) => to.serialize_f64(f64::from_bits(*bits)),
        (Plain::Char, Value::Char(value)) => to.serialize_char(*value),
        (Plain::Str, Value::Str(value)) => to.serialize_str(value),
        (Plain::Bytes, Value::Bytes(value)) => to.serialize_bytes(value),
        (Plain::Unit, _) => to.serialize_unit(),
        (plain, value) => unreachable!("{value:?} of {plain:?}"),
    }
}

fn write_variant<S: Serializer>(
    variant: &Variant,
    place: u32,
    content: &[Value],
    to: S,
) -> Result<S::Ok, S::Error> {
    let name = NAMES[place as usize];
    match variant {
        Variant::Unit => to.serialize_unit_variant("E", place, name),
        Variant::Newtype(of) => {
            to.serialize_newtype_variant("E", place, name, &Typed(of, &content[0]))
        }
        Variant::Tuple(of) => {
            let mut out = to.serialize_tuple_variant("E", place, name, of.len())?;
            for (of, value) in of.iter().zip(content) {
                out.serialize_field(&Typed(of, value))?;
            }
            out.end()
        }
        Variant::Struct(of) => {
            let mut out = to.serialize_struct_variant("E", place, name, of.len())?;
            for ((name, of), value) in NAMES.iter().zip(of).zip(content) {
                out.serialize_field(name, &Typed(of, value))?;
            }
            out.end()
        }
    }
}

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
