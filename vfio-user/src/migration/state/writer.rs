//! Writes private state into a section.

use serde::Serialize;

use super::{Migrated, WireType, check_elements, check_len, value_error};
use crate::migration::codec::{self, Plain, Shape};
use crate::migration::{
    FieldsWriter, Part, Section, SectionsWriter, StateError, StateField, StateLayout,
};

/// Writes the fields of a section.
#[derive(Debug)]
pub struct StateWriter<'a> {
    section: &'a str,
    fields: FieldsWriter<'a>,
    /// The values that older versions assume.
    initial: Option<Section<'a>>,
    /// Whether lengths are compared with `max_len`.
    has_limits: bool,
}

impl<'a> StateWriter<'a> {
    pub(crate) fn new(writer: &'a mut SectionsWriter, id: &'a str, layout: &StateLayout) -> Self {
        let fields = writer.section(id, layout.version, layout.min);
        StateWriter { section: id, fields, initial: None, has_limits: true }
    }

    /// Sets the values in `initial` as those that older versions assume for fields that they lack.
    pub(crate) fn with_initial(self, initial: Option<Section<'a>>) -> Self {
        StateWriter { initial, ..self }
    }

    /// Sets whether lengths are compared with `max_len`; otherwise only types are checked.
    pub(crate) fn limited(self, has_limits: bool) -> Self {
        StateWriter { has_limits, ..self }
    }

    pub(crate) fn finish(self) {
        self.fields.finish();
    }

    /// Adds a field.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as the type that is read.
    pub fn put<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        value: &T,
    ) -> Result<(), StateError> {
        self.fields.needs(field.since);
        self.put_as(field.name, ty.shape(), value)
    }

    /// Adds a field. A version without the field may ignore it if it has the value that this
    /// version assumes.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as the type that is read.
    pub fn put_unless<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        value: &T,
        default: &T,
    ) -> Result<(), StateError> {
        self.put_new(field.name, field.since, ty.shape(), value, default)
    }

    /// Adds a field with its values in all elements of a block.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_column<T: Serialize>(
        &mut self,
        field: &StateField,
        ty: WireType,
        column: &[T],
    ) -> Result<(), StateError> {
        self.fields.needs(field.since);
        self.put_as(field.name, &Shape::many(ty.shape().clone()), column)
    }

    /// As [`put_column`](Self::put_column). A version without the field may ignore it if all values
    /// are those that this version assumes.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_column_unless<T: Serialize>(
        &mut self,
        field: &StateField,
        ty: WireType,
        column: &[T],
        defaults: &[T],
    ) -> Result<(), StateError> {
        let shape = Shape::many(ty.shape().clone());
        self.put_new(field.name, field.since, &shape, column, defaults)
    }

    /// Adds a part of an array that has grown. Versions with fewer elements may ignore the others
    /// while these have their constructed values.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_part<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        value: &T,
        part: &Part,
    ) -> Result<(), StateError> {
        if part.is_first() {
            return self.put(field, ty, value);
        }
        self.put_grown::<T>(&part.name(field.name), None, ty.shape(), value, None)
    }

    /// As [`put_part`](Self::put_part), for a field that a version added.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_part_unless<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        (value, default): (&T, &T),
        part: &Part,
    ) -> Result<(), StateError> {
        if part.is_first() {
            return self.put_unless(field, ty, value, default);
        }
        let name = part.name(field.name);
        self.put_grown(&name, Some(field.since), ty.shape(), value, Some(default))
    }

    /// Adds a part of the arrays in all elements of a block.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_column_part<T: Serialize>(
        &mut self,
        field: &StateField,
        ty: WireType,
        column: &[T],
        part: &Part,
    ) -> Result<(), StateError> {
        if part.is_first() {
            return self.put_column(field, ty, column);
        }
        let shape = Shape::many(ty.shape().clone());
        self.put_grown(&part.name(field.name), None, &shape, column, None)
    }

    /// As [`put_column_part`](Self::put_column_part), for a field that a version added.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put_column_part_unless<T: Serialize>(
        &mut self,
        field: &StateField,
        ty: WireType,
        (column, defaults): (&[T], &[T]),
        part: &Part,
    ) -> Result<(), StateError> {
        if part.is_first() {
            return self.put_column_unless(field, ty, column, defaults);
        }
        let shape = Shape::many(ty.shape().clone());
        let name = part.name(field.name);
        self.put_grown(&name, Some(field.since), &shape, column, Some(defaults))
    }

    /// Adds the elements by which an array has grown. Versions without these elements assume their
    /// constructed values; versions without the array assume its default.
    pub(crate) fn put_grown<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        since: Option<u16>,
        shape: &Shape,
        value: &T,
        default: Option<&T>,
    ) -> Result<(), StateError> {
        let encoded = self.encoded(name, shape, value)?;
        let initial = self.initial.as_ref().and_then(|section| section.field(name));
        let is_initial = initial.is_some_and(|field| field.value == encoded);
        let is_default = match default {
            Some(default) => self.encoded(name, shape, default)? == encoded,
            None => true,
        };
        if let Some(since) = since.filter(|_| !is_default) {
            self.fields.needs(since);
        }
        self.put_encoded(name, shape, &encoded, !(is_initial && is_default))
    }

    /// Adds a field that a version added. It is always sent, so that another default of the reader
    /// makes no difference. A value that older versions assume is not critical.
    pub(crate) fn put_new<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        since: u16,
        shape: &Shape,
        value: &T,
        default: &T,
    ) -> Result<(), StateError> {
        let value = self.encoded(name, shape, value)?;
        let is_default = value == self.encoded(name, shape, default)?;
        if !is_default {
            self.fields.needs(since);
        }
        self.put_encoded(name, shape, &value, !is_default)
    }

    /// Adds a number; what versions without it take for granted is with the version that has added
    /// it. Nothing is allocated.
    pub(crate) fn put_number(
        &mut self,
        name: &str,
        value: u64,
        added: Option<(u16, u64)>,
    ) -> Result<(), StateError> {
        let is_default = added.is_some_and(|(_, default)| default == value);
        if let Some((since, _)) = added.filter(|_| !is_default) {
            self.fields.needs(since);
        }
        let shape = Shape::Plain(Plain::U64);
        let write = |out: &mut Vec<u8>| codec::encode(&value, &shape, out);
        let written = self.fields.typed(name, &shape, !is_default, write);
        written.map_err(|problem| value_error(self.section, name, problem))
    }

    fn encoded<T: Serialize + ?Sized>(
        &self,
        name: &str,
        shape: &Shape,
        value: &T,
    ) -> Result<Vec<u8>, StateError> {
        let mut bytes = Vec::new();
        let written = codec::encode(value, shape, &mut bytes);
        written.map_err(|problem| value_error(self.section, name, problem))?;
        Ok(bytes)
    }

    fn put_encoded(
        &mut self,
        name: &str,
        shape: &Shape,
        value: &[u8],
        is_critical: bool,
    ) -> Result<(), StateError> {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(value);
            Ok(())
        };
        let written = self.fields.typed(name, shape, is_critical, write);
        written.map_err(|problem| value_error(self.section, name, problem))
    }

    pub(crate) fn put_as<T>(
        &mut self,
        name: &str,
        shape: &Shape,
        value: &T,
    ) -> Result<(), StateError>
    where
        T: Serialize + ?Sized,
    {
        let write = |out: &mut Vec<u8>| codec::encode(value, shape, out);
        let written = self.fields.typed(name, shape, true, write);
        written.map_err(|problem| value_error(self.section, name, problem))
    }

    pub(crate) fn put_named<T: Migrated>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), StateError> {
        self.put_as(name, codec::shape_of::<T>(), value)
    }

    pub(crate) fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.put_as(name, &Shape::Plain(Plain::Bytes), serde_bytes::Bytes::new(bytes))
    }

    /// Checks the number of elements of a collection.
    ///
    /// # Errors
    ///
    /// If it exceeds the field's `max_len`.
    pub fn check_len(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_len(self.section, field, len, field.max_len.filter(|_| self.has_limits))
    }

    /// Checks that a collection has as many elements as the field declares.
    ///
    /// # Errors
    ///
    /// If it has more or fewer.
    pub fn check_elements(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_elements(self.section, field, len)
    }

    /// Checks the number of elements of a collection in another one, which may have `max`.
    ///
    /// # Errors
    ///
    /// If there are more.
    pub fn check_inner_len(
        &self,
        field: &StateField,
        len: usize,
        max: u64,
    ) -> Result<(), StateError> {
        check_len(self.section, field, len, Some(max).filter(|_| self.has_limits))
    }
}
