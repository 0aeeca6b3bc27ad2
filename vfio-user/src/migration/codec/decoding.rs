//! Reading a value, along the shape that the stream gives. Both are hostile.

use std::cell::Cell;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::encoding::deeper;
use super::shape::{ANY, Members, Plain, Shape, Variant, plain_of, tag, total};
use super::{ValueError, wire};

mod fields;

type Result<T> = std::result::Result<T, ValueError>;

pub(super) struct Decoder<'b, 'de> {
    pub(super) bytes: &'b mut &'de [u8],
    pub(super) shape: &'b Shape,
    pub(super) limits: Limits<'b>,
}

/// What a value may hold before it is refused.
#[derive(Clone, Copy)]
pub(super) struct Limits<'b> {
    /// Values around this one.
    depth: u8,
    /// Elements of tuples and structs that may still come, where the reader takes any number of them.
    elements: &'b Cell<u64>,
}

impl<'b> Limits<'b> {
    /// The elements that a value of so many bytes may hold. Elements inside one another may have a
    /// single byte between them, and units have none, so there may be more of them than bytes.
    pub(super) fn elements(bytes: usize) -> Cell<u64> {
        Cell::new((bytes as u64).saturating_mul(8).saturating_add(64))
    }

    pub(super) fn new(elements: &'b Cell<u64>) -> Self {
        Limits { depth: 0, elements }
    }

    #[inline]
    fn deeper(self) -> Result<Self> {
        Ok(Limits { depth: deeper(self.depth)?, ..self })
    }

    /// Spends all elements of a tuple or a struct at once, before the first of them is read.
    fn spend(self, elements: u64) -> Result<()> {
        let left = self.elements.get().checked_sub(elements);
        let left = left.ok_or_else(|| ValueError::said("it holds far more elements than bytes"))?;
        self.elements.set(left);
        Ok(())
    }
}

/// What comes next: the shape, or what a value says itself.
enum Head<'b> {
    Plain(Plain),
    Option(&'b Shape),
    Seq(&'b Shape),
    Map(&'b Shape, &'b Shape),
    Tuple(Option<&'b [(u32, Shape)]>),
    Struct(Option<&'b Members>),
    Enum(Option<&'b [Variant]>),
}

impl Head<'_> {
    fn name(&self) -> String {
        match self {
            Head::Plain(plain) => format!("`{}`", plain.name()),
            Head::Option(_) => "an option".into(),
            Head::Seq(_) => "a list".into(),
            Head::Map(..) => "a map".into(),
            Head::Tuple(_) => "a tuple".into(),
            Head::Struct(_) => "a struct".into(),
            Head::Enum(_) => "an enum".into(),
        }
    }
}

#[cold]
fn differs(head: &Head<'_>, wanted: &str) -> ValueError {
    ValueError::new(format!("it is {} in the state and {wanted} in this version", head.name()))
}

impl<'b, 'de> Decoder<'b, 'de> {
    #[inline]
    fn head(&mut self) -> Result<Head<'b>> {
        Ok(match self.shape {
            Shape::Plain(plain) => Head::Plain(*plain),
            Shape::Option(of) => Head::Option(of),
            Shape::Seq(of, _) => Head::Seq(of),
            Shape::Map(of, _) => Head::Map(&of.0, &of.1),
            Shape::Tuple(runs) => Head::Tuple(Some(runs)),
            Shape::Struct(members) => Head::Struct(Some(members)),
            Shape::Enum(variants) => Head::Enum(Some(variants)),
            Shape::Any => self.head_of_any()?,
        })
    }

    fn head_of_any(&mut self) -> Result<Head<'b>> {
        Ok(match wire::take_array::<1>(self.bytes)?[0] {
            tag::OPTION => Head::Option(&ANY),
            tag::SEQ => Head::Seq(&ANY),
            tag::MAP => Head::Map(&ANY, &ANY),
            tag::TUPLE => Head::Tuple(None),
            tag::STRUCT => Head::Struct(None),
            tag::ENUM => Head::Enum(None),
            tag => {
                Head::Plain(plain_of(tag).ok_or_else(|| ValueError::said("its type is unknown"))?)
            }
        })
    }

    #[inline]
    fn expect(&mut self, plain: Plain) -> Result<()> {
        match self.shape {
            Shape::Plain(given) if *given == plain => Ok(()),
            _ => match self.head()? {
                Head::Plain(given) if given == plain => Ok(()),
                other => Err(differs(&other, &format!("`{}`", plain.name()))),
            },
        }
    }

    #[inline]
    fn at(self, shape: &'b Shape) -> Result<Self> {
        Ok(Decoder { bytes: self.bytes, shape, limits: self.limits.deeper()? })
    }

    #[inline]
    fn plain<V: Visitor<'de>>(self, plain: Plain, visitor: V) -> Result<V::Value> {
        let bytes = self.bytes;
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

    fn option<V: Visitor<'de>>(self, of: &'b Shape, visitor: V) -> Result<V::Value> {
        match wire::take_array::<1>(self.bytes)?[0] {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self.at(of)?),
            other => Err(ValueError::new(format!("{other} begins no option"))),
        }
    }

    fn elements(self, of: (&'b Shape, &'b Shape)) -> Result<Elements<'b, 'de>> {
        let left = wire::take_len(self.bytes)?;
        let limits = self.limits.deeper()?;
        // An empty list does not pay for a look at a large shape.
        let is_padded = left > 0 && of.0.is_empty();
        Ok(Elements { bytes: self.bytes, of, is_padded, left, limits })
    }

    fn tuple(
        self,
        runs: Option<&'b [(u32, Shape)]>,
        wanted: Option<usize>,
    ) -> Result<Tuple<'b, 'de>> {
        let len = match runs {
            None => wire::take_len(self.bytes)? as u64,
            Some(runs) => total(runs),
        };
        match wanted {
            Some(wanted) if wanted as u64 != len => {
                let text =
                    format!("it has {len} elements in the state and {wanted} in this version");
                return Err(ValueError::new(text));
            }
            Some(_) => {}
            // A reader of anything has no number of its own.
            None => self.limits.spend(len)?,
        }
        let (left, limits) = (usize::try_from(len).unwrap_or(usize::MAX), self.limits.deeper()?);
        Ok(Tuple { bytes: self.bytes, runs, left_of_run: 0, left, shape: &ANY, limits })
    }

    fn chosen(self, variants: Option<&'b [Variant]>) -> Result<Chosen<'b, 'de>> {
        let (name, shape): (Name<'b, 'de>, _) = match variants {
            None => (Name::Own(wire::take_str(self.bytes)?), &ANY),
            Some(variants) => {
                let place = wire::take_u64(self.bytes)?;
                let variant = usize::try_from(place).ok().and_then(|place| variants.get(place));
                let variant =
                    variant.ok_or_else(|| ValueError::said("it is no variant of its type"))?;
                (Name::Shape(&variant.name), &variant.shape)
            }
        };
        Ok(Chosen { name, content: Decoder { bytes: self.bytes, shape, limits: self.limits } })
    }

    fn any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Plain(plain) => self.plain(plain, visitor),
            Head::Option(of) => self.option(of, visitor),
            Head::Seq(of) => visitor.visit_seq(self.elements((of, of))?),
            Head::Map(key, value) => visitor.visit_map(self.elements((key, value))?),
            Head::Tuple(runs) => visitor.visit_seq(self.tuple(runs, None)?),
            Head::Struct(members) => self.fields(members, None, visitor),
            Head::Enum(variants) => self.variant_as_any(variants, visitor),
        }
    }

    /// As self-describing formats have it, which is what serde expects there: the name, or a map of the
    /// name to what the variant holds.
    fn variant_as_any<V: Visitor<'de>>(
        self,
        variants: Option<&'b [Variant]>,
        visitor: V,
    ) -> Result<V::Value> {
        let Chosen { name, mut content } = self.chosen(variants)?;
        let is_unit = match content.shape {
            Shape::Any => content.bytes.first() == Some(&(Plain::Unit as u8)),
            shape => *shape == Shape::Plain(Plain::Unit),
        };
        if is_unit {
            content.expect(Plain::Unit)?;
            return visitor.visit_str(name.text());
        }
        let content = Some(Decoder { limits: content.limits.deeper()?, ..content });
        visitor.visit_map(Single { name: Some(name), content })
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

fn narrow<W, N: TryFrom<W>>(wide: W) -> Result<N> {
    N::try_from(wide).map_err(|_| ValueError::said("a number is too large"))
}

fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

macro_rules! plains {
    ($($method:ident = $plain:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
            self.expect(Plain::$plain)?;
            self.plain(Plain::$plain, visitor)
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
        deserialize_string = Str;
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
            other => return Err(differs(&other, "`bytes`")),
        }
        self.plain(Plain::Bytes, visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
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
            other => Err(differs(&other, "an option")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Seq(of) => visitor.visit_seq(self.elements((of, of))?),
            Head::Plain(Plain::Bytes) => visitor.visit_seq(self.elements((&U8, &U8))?),
            other => Err(differs(&other, "a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Tuple(runs) => visitor.visit_seq(self.tuple(runs, Some(len))?),
            other => Err(differs(&other, &format!("a tuple of {len}"))),
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
            Head::Map(key, value) => visitor.visit_map(self.elements((key, value))?),
            // A struct whose fields are partly those of another one is read as a map.
            Head::Struct(members) => self.fields(members, None, visitor),
            other => Err(differs(&other, "a map")),
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
            other => Err(differs(&other, "a struct")),
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
            other => Err(differs(&other, "an enum")),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

static U8: Shape = Shape::Plain(Plain::U8);

/// The elements of a list, or the entries of a map.
struct Elements<'b, 'de> {
    bytes: &'b mut &'de [u8],
    of: (&'b Shape, &'b Shape),
    is_padded: bool,
    left: usize,
    limits: Limits<'b>,
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn first<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.is_padded {
            wire::take_array::<1>(self.bytes)?;
        }
        let element = Decoder { bytes: self.bytes, shape: self.of.0, limits: self.limits };
        seed.deserialize(element).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.first(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.first(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(Decoder { bytes: self.bytes, shape: self.of.1, limits: self.limits })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Tuple<'b, 'de> {
    bytes: &'b mut &'de [u8],
    runs: Option<&'b [(u32, Shape)]>,
    left_of_run: u32,
    left: usize,
    shape: &'b Shape,
    limits: Limits<'b>,
}

impl<'de> SeqAccess<'de> for Tuple<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        while let (0, Some([(count, shape), rest @ ..])) = (self.left_of_run, self.runs) {
            (self.left_of_run, self.shape, self.runs) = (*count, shape, Some(rest));
        }
        self.left_of_run = self.left_of_run.saturating_sub(1);
        let element = Decoder { bytes: self.bytes, shape: self.shape, limits: self.limits };
        seed.deserialize(element).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The name of a variant: of the shape, or from the value.
enum Name<'b, 'de> {
    Shape(&'b str),
    Own(&'de str),
}

impl Name<'_, '_> {
    fn text(&self) -> &str {
        match self {
            Name::Shape(name) | Name::Own(name) => name,
        }
    }
}

struct Chosen<'b, 'de> {
    name: Name<'b, 'de>,
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

    fn unit_variant(mut self) -> Result<()> {
        self.expect(Plain::Unit)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let shape = self.shape;
        seed.deserialize(self.at(shape)?)
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
