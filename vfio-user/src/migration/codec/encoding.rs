//! Writing a value, along its shape.
//!
//! The shape is the one that the value is read with. A type that writes something else is refused
//! here and not on the destination.

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

/// Appends a value of a shape to `out`.
pub(crate) fn encode<T>(value: &T, shape: &Shape, out: &mut Vec<u8>) -> Result<()>
where
    T: Serialize + ?Sized,
{
    let mut writer = Writer { bytes: std::mem::take(out), depth: 0 };
    let written = value.serialize(Encoder { out: &mut writer, shape });
    *out = writer.bytes;
    written
}

/// What is written, and how deep. It is not part of [`Encoder`], which two registers hold then.
struct Writer {
    bytes: Vec<u8>,
    /// Values around the next one.
    depth: u8,
}

impl Writer {
    /// Enters a value; [`leave`](Self::leave) is its end.
    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.depth = deeper(self.depth)?;
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Writes what is inside a value.
    #[inline]
    fn within(&mut self, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        write(self)?;
        self.leave();
        Ok(())
    }
}

struct Encoder<'a> {
    out: &'a mut Writer,
    shape: &'a Shape,
}

impl<'a> Encoder<'a> {
    /// Checks a value without parts against the shape, and writes its tag where the shape has none.
    #[inline]
    fn plain(self, plain: Plain) -> Result<&'a mut Vec<u8>> {
        match self.shape {
            Shape::Plain(read) if *read == plain => Ok(&mut self.out.bytes),
            _ => self.tagged(plain),
        }
    }

    #[cold]
    fn tagged(self, plain: Plain) -> Result<&'a mut Vec<u8>> {
        if !matches!(self.shape, Shape::Any) {
            return Err(self.mismatch(plain.name()));
        }
        self.out.bytes.push(plain as u8);
        Ok(&mut self.out.bytes)
    }

    #[cold]
    fn mismatch(&self, written: &str) -> ValueError {
        ValueError::new(format!("it is written as `{written}` and read as `{}`", self.shape))
    }

    #[inline]
    fn number(self, plain: Plain, value: u64) -> Result<()> {
        wire::put(self.plain(plain)?, value);
        Ok(())
    }

    #[inline]
    fn byte(self, plain: Plain, byte: u8) -> Result<()> {
        self.plain(plain)?.push(byte);
        Ok(())
    }

    fn raw(self, plain: Plain, bytes: &[u8]) -> Result<()> {
        self.plain(plain)?.extend_from_slice(bytes);
        Ok(())
    }

    fn sized(self, plain: Plain, bytes: &[u8]) -> Result<()> {
        let out = self.plain(plain)?;
        wire::put_len(out, bytes.len());
        out.extend_from_slice(bytes);
        Ok(())
    }

    /// The shape of a variant, once the variant has been written.
    fn variant(&mut self, place: u32, name: &str) -> Result<&'a Shape> {
        let variants = match self.shape {
            Shape::Any => {
                self.out.bytes.push(tag::ENUM);
                wire::put_str(&mut self.out.bytes, name);
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
        wire::put_len(&mut self.out.bytes, place);
        Ok(&variants[place].shape)
    }

    #[inline]
    fn at(self, shape: &'a Shape) -> Self {
        Encoder { shape, ..self }
    }

    /// Writes whether there is a value, whose shape is the result.
    #[inline]
    fn option(&mut self, is_some: u8) -> Result<&'a Shape> {
        let of = match self.shape {
            Shape::Option(of) => of,
            Shape::Any => {
                self.out.bytes.push(tag::OPTION);
                &ANY
            }
            _ => return Err(self.mismatch("an option")),
        };
        self.out.bytes.push(is_some);
        Ok(of)
    }

    #[inline]
    fn tuple(mut self, len: usize) -> Result<Tuple<'a>> {
        let (runs, untyped) = match self.shape {
            Shape::Tuple(runs) if total(runs) == len as u64 => (&runs[..], 0),
            _ => (&[][..], self.untyped(tag::TUPLE, "a tuple", len)?),
        };
        Tuple::new(self.out, runs, untyped)
    }

    #[inline]
    fn fields(mut self, len: usize) -> Result<Fields<'a>> {
        let (members, untyped) = match self.shape {
            Shape::Struct(members) => {
                self.out.bytes.push(0);
                (members.own(), 0)
            }
            _ => (&[][..], self.untyped(tag::STRUCT, "a struct", len)?),
        };
        Fields::new(self.out, members, untyped)
    }

    /// Begins a value that describes itself: how many parts without a shape follow.
    #[cold]
    fn untyped(&mut self, tag: u8, what: &str, len: usize) -> Result<usize> {
        if !matches!(self.shape, Shape::Any) {
            return Err(self.mismatch(&format!("{what} of {len}")));
        }
        self.out.bytes.push(tag);
        wire::put_len(&mut self.out.bytes, len);
        Ok(len)
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

    fn serialize_unit(self) -> Result<()> {
        self.plain(Plain::Unit).map(drop)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_none(mut self) -> Result<()> {
        self.option(0).map(drop)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<()> {
        let shape = self.option(1)?;
        self.out.within(|out| value.serialize(Encoder { out, shape }))
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
        self.out.within(|out| value.serialize(Encoder { out, shape }))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>> {
        let (of, order) = match self.shape {
            Shape::Any => {
                self.out.bytes.push(tag::SEQ);
                (&ANY, Order::Kept)
            }
            Shape::Seq(of, order) => (&**of, *order),
            Shape::Plain(Plain::Bytes) => (&U8, Order::Kept),
            _ => return Err(self.mismatch("a list")),
        };
        Elements::new(self.out, of, None, order, len)
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
        let (keys, values, order) = match self.shape {
            Shape::Any => {
                self.out.bytes.push(tag::MAP);
                (&ANY, &ANY, Order::Sorted)
            }
            Shape::Map(of, order) => (&of.0, &of.1, *order),
            _ => return Err(self.mismatch("a map")),
        };
        Elements::new(self.out, keys, Some(values), order, len)
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
