//! Reading a value, along the shape that the stream gives. Both are hostile.

mod elements;
mod fields;
mod head;
mod input;
mod plain;
mod tuple;
mod variants;

use serde::de::{DeserializeSeed, Deserializer, Error as _, Visitor};

use super::ValueError;
use super::alike::alike;
use super::shape::{Plain, Shape};
use head::Head;
use input::Input;

type Result<T> = std::result::Result<T, ValueError>;

/// Reads a value of a shape; the result is what is left of the bytes, too.
pub(super) fn decode<'de, T>(
    seed: T,
    bytes: &'de [u8],
    shape: &Shape,
) -> Result<(T::Value, &'de [u8])>
where
    T: DeserializeSeed<'de>,
{
    let mut input = Input::new(bytes);
    let value = seed.deserialize(Decoder { input: &mut input, shape })?;
    Ok((value, input.bytes))
}

struct Decoder<'b, 'de> {
    input: &'b mut Input<'de>,
    shape: &'b Shape,
}

impl<'b, 'de> Decoder<'b, 'de> {
    #[inline]
    fn option<V: Visitor<'de>>(self, of: &'b Shape, visitor: V) -> Result<V::Value> {
        match self.input.byte()? {
            0 => visitor.visit_none(),
            1 => self.input.within(|input| visitor.visit_some(Decoder { input, shape: of })),
            other => Err(ValueError::new(format!("{other} begins no option"))),
        }
    }

    fn any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Plain(plain) => self.plain(plain, visitor),
            Head::Option(of) => self.option(of, visitor),
            Head::Seq(of) => self.list(of, visitor),
            Head::Map(key, value) => self.map(key, value, visitor),
            Head::Tuple(runs) => self.tuple(runs, None, visitor),
            Head::Struct(members) => self.fields(members, None, visitor),
            Head::Enum(variants) => self.variant_as_any(variants, visitor),
        }
    }
}

macro_rules! plains {
    ($($method:ident = $plain:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.expect(Plain::$plain)?.plain(Plain::$plain, visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_, 'de> {
    type Error = ValueError;

    plains! {
        deserialize_bool = Bool;
        deserialize_u8 = U8;
        deserialize_u16 = U16;
        deserialize_u32 = U32;
        deserialize_u64 = U64;
        deserialize_u128 = U128;
        deserialize_i8 = I8;
        deserialize_i16 = I16;
        deserialize_i32 = I32;
        deserialize_i64 = I64;
        deserialize_i128 = I128;
        deserialize_f32 = F32;
        deserialize_f64 = F64;
        deserialize_char = Char;
        deserialize_str = Str;
        deserialize_unit = Unit;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Plain(Plain::Bytes) | Head::Seq(Shape::Plain(Plain::U8)) => {}
            other => return other.differs("`bytes`"),
        }
        self.plain(Plain::Bytes, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Option(of) => self.option(of, visitor),
            other => other.differs("an option"),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Seq(of) => self.list(of, visitor),
            Head::Plain(Plain::Bytes) => self.list(&U8, visitor),
            other => other.differs("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Tuple(runs) => self.tuple(runs, Some(len), visitor),
            other => other.differs(&format!("a tuple of {len}")),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Map(key, value) => self.map(key, value, visitor),
            // A struct whose fields are partly those of another one is read as a map.
            Head::Struct(members) => self.fields(members, None, visitor),
            other => other.differs("a map"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.head()? {
            Head::Struct(members) => self.fields(members, Some(fields), visitor),
            other => other.differs("a struct"),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.head()? {
            Head::Enum(given) => {
                let chosen = self.chosen(given)?;
                if variants.contains(&chosen.name.text()) {
                    return visitor.visit_enum(chosen);
                }
                Err(ValueError::unknown_variant(chosen.name.text(), variants))
            }
            other => other.differs("an enum"),
        }
    }

    alike!();
}

static U8: Shape = Shape::Plain(Plain::U8);
