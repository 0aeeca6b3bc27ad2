//! A value, written as derived ones are.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleVariant, Serializer,
};

use super::{NAMES, Plain, Type, Value, Variant};

/// A value of a type, to be written.
pub(in super::super) struct Typed<'a>(
    pub(in super::super) &'a Type,
    pub(in super::super) &'a Value,
);

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
