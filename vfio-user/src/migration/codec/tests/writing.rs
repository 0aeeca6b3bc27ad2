//! Writing by name: structs as maps, variants as their name and what they hold.

use std::cell::Cell;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// A value that is written by name. Elements of collections are counted.
pub(super) struct Named<'a, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) elements: &'a Cell<usize>,
}

impl<T: Serialize + ?Sized> Serialize for Named<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(ByName { inner: serializer, elements: self.elements })
    }
}

struct ByName<'a, S> {
    inner: S,
    elements: &'a Cell<usize>,
}

impl<'a, S> ByName<'a, S> {
    fn named<'v, T: ?Sized>(&self, value: &'v T) -> Named<'v, T>
    where
        'a: 'v,
    {
        Named { value, elements: self.elements }
    }

    fn compound<C>(elements: &'a Cell<usize>, inner: C) -> ByName<'a, C> {
        ByName { inner, elements }
    }
}

macro_rules! plain {
    ($($method:ident($ty:ty))*) => {$(
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for ByName<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = ByName<'a, S::SerializeSeq>;
    type SerializeTuple = ByName<'a, S::SerializeTuple>;
    type SerializeTupleStruct = ByName<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = ByName<'a, S::SerializeTuple>;
    type SerializeMap = ByName<'a, S::SerializeMap>;
    type SerializeStruct = ByName<'a, S::SerializeMap>;
    type SerializeStructVariant = ByName<'a, S::SerializeTuple>;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.named(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.named(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.named(value);
        let mut pair = self.inner.serialize_tuple(2)?;
        pair.serialize_element(variant)?;
        pair.serialize_element(&value)?;
        pair.end()
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Ok(Self::compound(self.elements, self.inner.serialize_seq(len)?))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Ok(Self::compound(self.elements, self.inner.serialize_tuple(len)?))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        Ok(Self::compound(self.elements, self.inner.serialize_tuple_struct(name, len)?))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let mut tuple = self.inner.serialize_tuple(len + 1)?;
        tuple.serialize_element(variant)?;
        Ok(Self::compound(self.elements, tuple))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Ok(Self::compound(self.elements, self.inner.serialize_map(len)?))
    }

    fn serialize_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        Ok(Self::compound(self.elements, self.inner.serialize_map(Some(len))?))
    }

    /// A tuple of the name, and of what a map would be written as: its length and its pairs.
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let mut tuple = self.inner.serialize_tuple(2 + 2 * len)?;
        tuple.serialize_element(variant)?;
        tuple.serialize_element(&(len as u64))?;
        Ok(Self::compound(self.elements, tuple))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<C: SerializeSeq> SerializeSeq for ByName<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.elements.set(self.elements.get() + 1);
        let value = self.named(value);
        self.inner.serialize_element(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeMap for ByName<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.elements.set(self.elements.get() + 1);
        let key = self.named(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.named(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeStruct for ByName<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        let value = self.named(value);
        self.inner.serialize_entry(name, &value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeTuple> SerializeStructVariant for ByName<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        let value = self.named(value);
        self.inner.serialize_element(name)?;
        self.inner.serialize_element(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// Tuples have no elements that a stream could have more of.
macro_rules! tuples {
    ($($shape:ident over $inner:ident: $method:ident => $inner_method:ident;)*) => {$(
        impl<C: $inner> $shape for ByName<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.named(value);
                self.inner.$inner_method(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

tuples! {
    SerializeTuple over SerializeTuple: serialize_element => serialize_element;
    SerializeTupleStruct over SerializeTupleStruct: serialize_field => serialize_field;
    SerializeTupleVariant over SerializeTuple: serialize_field => serialize_element;
}
