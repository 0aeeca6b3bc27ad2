//! Writing a value, along its shape.
//!
//! The shape is the one that the value is read with. A type that writes something else is refused here
//! and not on the destination.

mod elements;
mod fields;
mod tuple;

use serde::ser::{Serialize, Serializer};

use super::shape::{ANY, Order, Plain, Shape, Variant, tag, total};
use super::{ValueError, deeper, wire};
use elements::Elements;
use fields::Fields;
use tuple::Tuple;

type Result<T> = std::result::Result<T, ValueError>;

pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) shape: &'a Shape,
    pub(super) depth: u8,
}

impl<'a> Encoder<'a> {
    /// Checks a value without parts against the shape, and writes its tag where the shape has none.
    #[inline]
    fn plain(&mut self, plain: Plain) -> Result<()> {
        match self.shape {
            Shape::Plain(read) if *read == plain => Ok(()),
            _ => self.tagged(plain),
        }
    }

    #[cold]
    fn tagged(&mut self, plain: Plain) -> Result<()> {
        if !matches!(self.shape, Shape::Any) {
            return Err(self.mismatch(plain.name()));
        }
        self.out.push(plain as u8);
        Ok(())
    }

    #[cold]
    fn mismatch(&self, written: &str) -> ValueError {
        ValueError::new(format!("it is written as `{written}` and read as `{}`", self.shape))
    }

    #[inline]
    fn number(mut self, plain: Plain, value: u64) -> Result<()> {
        self.plain(plain)?;
        wire::put(self.out, value);
        Ok(())
    }

    #[inline]
    fn byte(mut self, plain: Plain, byte: u8) -> Result<()> {
        self.plain(plain)?;
        self.out.push(byte);
        Ok(())
    }

    fn raw(mut self, plain: Plain, bytes: &[u8]) -> Result<()> {
        self.plain(plain)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn sized(mut self, plain: Plain, bytes: &[u8]) -> Result<()> {
        self.plain(plain)?;
        wire::put_len(self.out, bytes.len());
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// The shape of a variant, once the variant has been written.
    fn variant(&mut self, place: u32, name: &str) -> Result<&'a Shape> {
        let variants = match self.shape {
            Shape::Any => {
                self.out.push(tag::ENUM);
                wire::put_str(self.out, name);
                return Ok(&ANY);
            }
            Shape::Enum(variants) => variants,
            _ => return Err(self.mismatch(&format!("an enum with the variant {name}"))),
        };
        let place = place as usize;
        let is_it = |variant: &Variant| variant.name == name;
        let place = match variants.get(place) {
            Some(variant) if is_it(variant) => place,
            _ => variants.iter().position(is_it).ok_or_else(|| {
                ValueError::new(format!("the variant `{name}` is written and not read"))
            })?,
        };
        wire::put_len(self.out, place);
        Ok(&variants[place].shape)
    }

    fn at(self, shape: &'a Shape) -> Self {
        Encoder { shape, ..self }
    }

    /// Writes whether there is a value, whose shape is the result.
    #[inline]
    fn option(&mut self, is_some: u8) -> Result<&'a Shape> {
        let of = match self.shape {
            Shape::Option(of) => of,
            Shape::Any => {
                self.out.push(tag::OPTION);
                &ANY
            }
            _ => return Err(self.mismatch("an option")),
        };
        self.out.push(is_some);
        Ok(of)
    }

    #[inline]
    fn tuple(self, len: usize) -> Result<Tuple<'a>> {
        let depth = deeper(self.depth)?;
        match self.shape {
            Shape::Tuple(runs) if total(runs) == len as u64 => {
                Ok(Tuple::of_runs(self.out, runs, depth))
            }
            Shape::Any => {
                self.out.push(tag::TUPLE);
                wire::put_len(self.out, len);
                Ok(Tuple::of_any(self.out, len, depth))
            }
            _ => Err(self.mismatch(&format!("a tuple of {len}"))),
        }
    }

    #[inline]
    fn fields(self, len: usize) -> Result<Fields<'a>> {
        let depth = deeper(self.depth)?;
        match self.shape {
            Shape::Struct(members) => {
                self.out.push(0);
                Ok(Fields::of_members(self.out, &members.list, depth))
            }
            Shape::Any => {
                self.out.push(tag::STRUCT);
                wire::put_len(self.out, len);
                Ok(Fields::of_any(self.out, len, depth))
            }
            _ => Err(self.mismatch("a struct")),
        }
    }
}

macro_rules! numbers {
    ($($method:ident($ty:ty) = $plain:ident, $to:expr;)*) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<()> {
            self.number(Plain::$plain, $to(value))
        }
    )*};
}

/// Small numbers of either sign are small.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Tuple<'a>;
    type SerializeTupleStruct = Tuple<'a>;
    type SerializeTupleVariant = Tuple<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    numbers! {
        serialize_u16(u16) = U16, u64::from;
        serialize_u32(u32) = U32, u64::from;
        serialize_u64(u64) = U64, u64::from;
        serialize_i16(i16) = I16, |value| zigzag(i64::from(value));
        serialize_i32(i32) = I32, |value| zigzag(i64::from(value));
        serialize_i64(i64) = I64, zigzag;
        serialize_char(char) = Char, u64::from;
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<()> {
        self.byte(Plain::U8, value)
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<()> {
        self.byte(Plain::I8, value.cast_unsigned())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.byte(Plain::Bool, value.into())
    }

    fn serialize_u128(self, value: u128) -> Result<()> {
        self.raw(Plain::U128, &value.to_le_bytes())
    }

    fn serialize_i128(self, value: i128) -> Result<()> {
        self.raw(Plain::I128, &value.to_le_bytes())
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.raw(Plain::F32, &value.to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.raw(Plain::F64, &value.to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.sized(Plain::Str, value.as_bytes())
    }

    /// As a list of bytes, too, which are the same bytes.
    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        match self.shape {
            Shape::Seq(of, Order::Kept) if **of == Shape::Plain(Plain::U8) => {
                self.at(&BYTES).sized(Plain::Bytes, value)
            }
            _ => self.sized(Plain::Bytes, value),
        }
    }

    fn serialize_unit(mut self) -> Result<()> {
        self.plain(Plain::Unit)
    }

    fn serialize_unit_struct(mut self, _: &'static str) -> Result<()> {
        self.plain(Plain::Unit)
    }

    #[inline]
    fn serialize_none(mut self) -> Result<()> {
        self.option(0).map(drop)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<()> {
        let (shape, depth) = (self.option(1)?, deeper(self.depth)?);
        value.serialize(Encoder { out: self.out, shape, depth })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit_variant(mut self, _: &'static str, n: u32, name: &'static str) -> Result<()> {
        let shape = self.variant(n, name)?;
        self.at(shape).serialize_unit()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        let shape = self.variant(n, name)?;
        let depth = deeper(self.depth)?;
        value.serialize(Encoder { out: self.out, shape, depth })
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>> {
        let (of, order) = match self.shape {
            Shape::Any => {
                self.out.push(tag::SEQ);
                (&ANY, Order::Kept)
            }
            Shape::Seq(of, order) => (&**of, *order),
            Shape::Plain(Plain::Bytes) => (&U8, Order::Kept),
            _ => return Err(self.mismatch("a list")),
        };
        Elements::new(self.out, (of, of), order, len, self.depth)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Tuple<'a>> {
        self.tuple(len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Tuple<'a>> {
        self.tuple(len)
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Tuple<'a>> {
        let shape = self.variant(n, name)?;
        self.at(shape).tuple(len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'a>> {
        let (of, order) = match self.shape {
            Shape::Any => {
                self.out.push(tag::MAP);
                ((&ANY, &ANY), Order::Sorted)
            }
            Shape::Map(of, order) => ((&of.0, &of.1), *order),
            _ => return Err(self.mismatch("a map")),
        };
        Elements::new(self.out, of, order, len, self.depth)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Fields<'a>> {
        self.fields(len)
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        n: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Fields<'a>> {
        let shape = self.variant(n, name)?;
        self.at(shape).fields(len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

static U8: Shape = Shape::Plain(Plain::U8);
static BYTES: Shape = Shape::Plain(Plain::Bytes);
