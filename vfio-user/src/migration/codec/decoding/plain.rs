//! Values without parts.

use serde::de::Visitor;

use super::super::shape::Plain;
use super::super::{ValueError, wire};
use super::{Decoder, Result};

impl<'de> Decoder<'_, 'de> {
    #[inline]
    pub(super) fn plain<V: Visitor<'de>>(self, plain: Plain, visitor: V) -> Result<V::Value> {
        let bytes = &mut self.input.bytes;
        match plain {
            Plain::Unit => visitor.visit_unit(),
            Plain::Bool => match wire::take_array::<1>(bytes)?[0] {
                bit @ 0..=1 => visitor.visit_bool(bit == 1),
                other => Err(ValueError::new(format!("{other} is no bool"))),
            },
            Plain::U8 => visitor.visit_u8(wire::take_array::<1>(bytes)?[0]),
            Plain::I8 => visitor.visit_i8(i8::from_le_bytes(wire::take_array(bytes)?)),
            Plain::U16 => visitor.visit_u16(narrow(wire::take_u64(bytes)?)?),
            Plain::U32 => visitor.visit_u32(narrow(wire::take_u64(bytes)?)?),
            Plain::U64 => visitor.visit_u64(wire::take_u64(bytes)?),
            Plain::I16 => visitor.visit_i16(narrow(signed(wire::take_u64(bytes)?))?),
            Plain::I32 => visitor.visit_i32(narrow(signed(wire::take_u64(bytes)?))?),
            Plain::I64 => visitor.visit_i64(signed(wire::take_u64(bytes)?)),
            Plain::U128 => visitor.visit_u128(u128::from_le_bytes(wire::take_array(bytes)?)),
            Plain::I128 => visitor.visit_i128(i128::from_le_bytes(wire::take_array(bytes)?)),
            Plain::F32 => visitor.visit_f32(f32::from_le_bytes(wire::take_array(bytes)?)),
            Plain::F64 => visitor.visit_f64(f64::from_le_bytes(wire::take_array(bytes)?)),
            Plain::Char => {
                let number: u32 = narrow(wire::take_u64(bytes)?)?;
                let letter = char::from_u32(number);
                visitor.visit_char(
                    letter.ok_or_else(|| ValueError::new(format!("{number:#x} is no char")))?,
                )
            }
            Plain::Str => visitor.visit_borrowed_str(wire::take_str(bytes)?),
            Plain::Bytes => {
                let len = wire::take_len(bytes)?;
                visitor.visit_borrowed_bytes(wire::take(bytes, len)?)
            }
        }
    }
}

#[inline]
fn narrow<W, N: TryFrom<W>>(wide: W) -> Result<N> {
    N::try_from(wide).map_err(|_| too_large())
}

#[cold]
fn too_large() -> ValueError {
    ValueError::said("a number is too large")
}

#[inline]
fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
