//! Reads private state from a section.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use super::{Migrated, NO_NAMES, WireType, check_elements, check_len, value_error};
use crate::migration::codec::{self, Shape, ValueError};
use crate::migration::{
    Field, Part, Section, StateError, StateField, StateLayout, ValueProblem, is_removed,
};

/// Reads the fields of a section by their names.
#[derive(Debug)]
pub struct StateReader<'a> {
    section: Section<'a>,
    /// The names in older versions that no longer exist.
    removed: &'static [&'static str],
    taken: Vec<bool>,
    /// The values of fields that older versions lack.
    initial: Option<Section<'a>>,
    /// The likely position of the next field.
    next: usize,
}

impl<'a> StateReader<'a> {
    /// Creates a reader of a section, if this version can read it.
    pub(crate) fn new(section: Section<'a>, layout: &StateLayout) -> Result<Self, StateError> {
        let Section { id, version, min_reader, .. } = section;
        let id = || id.to_owned();
        if min_reader > layout.version {
            let ours = layout.version;
            return Err(StateError::TooNew { section: id(), needs: min_reader, ours });
        }
        if version < layout.min {
            return Err(StateError::TooOld { section: id(), version, min: layout.min });
        }
        let taken = vec![false; section.fields.len()];
        Ok(StateReader { section, removed: layout.removed, taken, initial: None, next: 0 })
    }

    /// Uses the values in `initial` for fields that older versions lack.
    pub(crate) fn with_initial(self, initial: Option<Section<'a>>) -> Self {
        StateReader { initial, ..self }
    }

    /// Takes a required field.
    ///
    /// # Errors
    ///
    /// If the field is missing, or has another type.
    pub fn take<T: Migrated>(&mut self, field: &StateField, ty: WireType) -> Result<T, StateError> {
        let value = self.find(field.name, field.renamed_from);
        let value = value.ok_or_else(|| self.missing(field.name))?;
        self.decoded_as(field.name, &value, ty.shape())
    }

    /// Takes a field that older versions did not have.
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn take_if_there<T: Migrated>(
        &mut self,
        field: &StateField,
        ty: WireType,
    ) -> Result<Option<T>, StateError> {
        let value = self.find(field.name, field.renamed_from);
        value.map(|value| self.decoded_as(field.name, &value, ty.shape())).transpose()
    }

    /// Takes the values of a field in `count` elements of a block.
    ///
    /// # Errors
    ///
    /// If the field is missing, or has another type.
    pub fn column<T: Migrated>(
        &mut self,
        field: &StateField,
        ty: WireType,
        count: usize,
    ) -> Result<Vec<T>, StateError> {
        let column = self.column_if_there(field, ty, count)?;
        column.ok_or_else(|| self.missing(field.name))
    }

    /// As [`column`](Self::column), for a field that older versions did not have.
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn column_if_there<T: Migrated>(
        &mut self,
        field: &StateField,
        ty: WireType,
        count: usize,
    ) -> Result<Option<Vec<T>>, StateError> {
        let value = self.find(field.name, field.renamed_from);
        let Some(value) = value else { return Ok(None) };
        let shape = Shape::many(ty.shape().clone());
        let values: Vec<T> = self.decoded_as(field.name, &value, &shape)?;
        match values.len() {
            len if len == count => Ok(Some(values)),
            len => Err(self.wrong_count(field.name, len, count)),
        }
    }

    /// Takes all parts of an array that has grown.
    ///
    /// # Errors
    ///
    /// If the array is missing, or has another type.
    pub fn take_grown<W>(
        &mut self,
        field: &StateField,
        ty: WireType,
    ) -> Result<Vec<W::Item>, StateError>
    where
        W: Migrated + IntoIterator,
    {
        let array = self.take_grown_if_there::<W>(field, ty)?;
        array.ok_or_else(|| self.missing(field.name))
    }

    /// As [`take_grown`](Self::take_grown), for an array that older versions did not have.
    ///
    /// # Errors
    ///
    /// If the array has another type.
    pub fn take_grown_if_there<W>(
        &mut self,
        field: &StateField,
        ty: WireType,
    ) -> Result<Option<Vec<W::Item>>, StateError>
    where
        W: Migrated + IntoIterator,
    {
        let mut array = Vec::new();
        for part in field.parts() {
            let Some(value) = self.find_part(field, &part) else { return Ok(None) };
            let name = part.name(field.name);
            let values: W = self.decoded_as(&name, &value, ty.shape())?;
            array.extend(self.elements_of(&name, values, &part)?);
        }
        Ok(Some(array))
    }

    /// Takes all parts of an array that has grown, in `count` elements of a block.
    ///
    /// # Errors
    ///
    /// If the array is missing, or has another type.
    pub fn grown_column<W>(
        &mut self,
        field: &StateField,
        ty: WireType,
        count: usize,
    ) -> Result<Vec<Vec<W::Item>>, StateError>
    where
        W: Migrated + IntoIterator,
    {
        let column = self.grown_column_if_there::<W>(field, ty, count)?;
        column.ok_or_else(|| self.missing(field.name))
    }

    /// As [`grown_column`](Self::grown_column), for an array that older versions did not have.
    ///
    /// # Errors
    ///
    /// If the array has another type.
    pub fn grown_column_if_there<W>(
        &mut self,
        field: &StateField,
        ty: WireType,
        count: usize,
    ) -> Result<Option<Vec<Vec<W::Item>>>, StateError>
    where
        W: Migrated + IntoIterator,
    {
        let mut column: Vec<_> = (0..count).map(|_| Vec::new()).collect();
        let shape = Shape::many(ty.shape().clone());
        for part in field.parts() {
            let Some(value) = self.find_part(field, &part) else { return Ok(None) };
            let name = part.name(field.name);
            let values: Vec<W> = self.decoded_as(&name, &value, &shape)?;
            if values.len() != count {
                return Err(self.wrong_count(&name, values.len(), count));
            }
            for (array, values) in column.iter_mut().zip(values) {
                array.extend(self.elements_of(&name, values, &part)?);
            }
        }
        Ok(Some(column))
    }

    /// Finds a part of an array. A part that an older version lacks has its constructed value.
    fn find_part(&mut self, field: &StateField, part: &Part) -> Option<Field<'a>> {
        let name = part.name(field.name);
        let old: Vec<_> = field.renamed_from.iter().map(|old| part.name(old)).collect();
        let found = self.find(&name, &old);
        found.or_else(|| self.initial(&name).filter(|_| !part.is_first()))
    }

    fn elements_of<W>(&self, name: &str, values: W, part: &Part) -> Result<Vec<W::Item>, StateError>
    where
        W: IntoIterator,
    {
        let values: Vec<_> = values.into_iter().collect();
        if values.len() == part.len() {
            return Ok(values);
        }
        Err(self.wrong_count(name, values.len(), part.len()))
    }

    /// Returns the value that an older version assumes for a field.
    pub(crate) fn initial(&self, name: &str) -> Option<Field<'a>> {
        self.initial.as_ref()?.field(name)
    }

    /// Converts the elements into an array.
    ///
    /// # Errors
    ///
    /// If there are more or fewer elements.
    pub fn array<T, const N: usize>(
        &self,
        field: &StateField,
        values: Vec<T>,
    ) -> Result<[T; N], StateError> {
        let array = values.try_into();
        array.map_err(|values: Vec<T>| self.wrong_count(field.name, values.len(), N))
    }

    pub(crate) fn take_named<T: Migrated>(&mut self, name: &str) -> Result<T, StateError> {
        let value = self.find(name, &NO_NAMES).ok_or_else(|| self.missing(name))?;
        self.decoded(name, &value)
    }

    /// Checks the number of elements of a collection.
    ///
    /// # Errors
    ///
    /// If it exceeds the field's `max_len`.
    pub fn check_len(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_len(self.section.id, field, len, field.max_len)
    }

    /// Checks that a collection has as many elements as the field declares.
    ///
    /// # Errors
    ///
    /// If it has more or fewer.
    pub fn check_elements(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_elements(self.section.id, field, len)
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
        check_len(self.section.id, field, len, Some(max))
    }

    /// Unwraps the value of a required field.
    ///
    /// # Errors
    ///
    /// If the field is missing.
    pub fn required<T>(&self, field: &StateField, value: Option<T>) -> Result<T, StateError> {
        value.ok_or_else(|| self.missing(field.name))
    }

    /// Returns an error for the value of a field.
    pub fn refuse(&self, field: &StateField, problem: impl Display) -> StateError {
        self.refuse_named(field.name, problem)
    }

    pub(crate) fn refuse_named(&self, name: &str, problem: impl Display) -> StateError {
        self.refuse_value(name, ValueProblem::refused(problem))
    }

    pub(crate) fn refuse_value(&self, name: &str, problem: impl Into<ValueProblem>) -> StateError {
        value_error(self.section.id, name, problem)
    }

    /// Returns an error for an array of `len` elements.
    pub(crate) fn wrong_count(&self, name: &str, len: usize, needed: usize) -> StateError {
        self.refuse_value(name, ValueProblem::Elements { len, needed: needed as u64 })
    }

    /// Returns the field, if it exists, by any of its names.
    pub(crate) fn find(&mut self, name: &str, old: &[impl AsRef<str>]) -> Option<Field<'a>> {
        self.find_by(|found| found == name || old.iter().any(|old| old.as_ref() == found))
    }

    /// The first field whose name is one that is wanted, if there is one.
    pub(crate) fn find_by(&mut self, is_name: impl Fn(&str) -> bool) -> Option<Field<'a>> {
        let is_it = |field: &Field<'_>| is_name(field.name);
        let (before, after) = self.section.fields.split_at(self.next);
        // Fields are mostly requested in their order.
        let place = match after.iter().position(is_it) {
            Some(place) => self.next + place,
            None => before.iter().position(is_it)?,
        };
        self.next = place + 1;
        self.taken[place] = true;
        Some(self.section.fields[place])
    }

    pub(crate) fn decoded<T>(&self, name: &str, value: &Field<'_>) -> Result<T, StateError>
    where
        T: Migrated,
    {
        self.decoded_as(name, value, codec::shape_of::<T>())
    }

    pub(crate) fn decoded_as<T>(
        &self,
        name: &str,
        value: &Field<'_>,
        ours: &Shape,
    ) -> Result<T, StateError>
    where
        T: DeserializeOwned,
    {
        value.get_as(ours).map_err(|problem: ValueError| self.refuse_value(name, problem))
    }

    /// Returns the error of a missing field.
    pub(crate) fn missing(&self, name: &str) -> StateError {
        StateError::MissingField { section: self.section.id.to_owned(), field: name.to_owned() }
    }

    /// Checks the remaining fields, which this version does not have. Returns how many of them are
    /// ignored although they were not declared as removed.
    pub(crate) fn finish(self) -> Result<usize, StateError> {
        let StateReader { section: Section { id, fields, .. }, removed, taken, .. } = self;
        let left = fields.iter().zip(&taken).filter(|(_, taken)| !**taken);
        let mut unknown = 0;
        for (left, _) in left {
            let (section, field) = (id.to_owned(), left.name.to_owned());
            let mut taken = fields.iter().zip(&taken).filter(|(_, taken)| **taken);
            if taken.any(|(taken, _)| taken.name == left.name) {
                return Err(StateError::DuplicateField { section, field });
            }
            if is_removed(removed, left.name) {
                tracing::debug!(section, field, "ignoring state that was declared as removed");
                continue;
            }
            if left.is_critical {
                return Err(StateError::UnknownField { section, field });
            }
            tracing::debug!(section, field, "state that this version does not have is left out");
            unknown += 1;
        }
        Ok(unknown)
    }
}
