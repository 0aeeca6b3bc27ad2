//! Private state on its way out of a section.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use super::{Migrated, NO_NAMES, WireType, check_len, value_error};
use crate::migration::codec::{self, Shape, ValueError};
use crate::migration::{Field, Part, Section, StateError, StateField, StateLayout, is_removed};

/// Reads the fields of a section by their names.
#[derive(Debug)]
pub struct StateReader<'a> {
    section: Section<'a>,
    /// What there was in older versions.
    removed: &'static [&'static str],
    taken: Vec<bool>,
    /// What older versions lack.
    initial: Option<Section<'a>>,
    /// Where the next field probably is.
    next: usize,
}

impl<'a> StateReader<'a> {
    /// Of a section that a version can read.
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

    /// What `initial` holds is taken for granted of what older versions lack.
    pub(crate) fn with_initial(self, initial: Option<Section<'a>>) -> Self {
        StateReader { initial, ..self }
    }

    /// Takes a field that has to be there.
    ///
    /// # Errors
    ///
    /// If it is missing, or holds something else.
    pub fn take<T: Migrated>(&mut self, field: &StateField, ty: WireType) -> Result<T, StateError> {
        let value = self.find(field.name, field.renamed_from);
        let value = value.ok_or_else(|| self.missing(field.name))?;
        self.decoded_as(field.name, &value, ty.shape())
    }

    /// Takes a field that older versions did not have.
    ///
    /// # Errors
    ///
    /// If it holds something else.
    pub fn take_if_there<T: Migrated>(
        &mut self,
        field: &StateField,
        ty: WireType,
    ) -> Result<Option<T>, StateError> {
        let value = self.find(field.name, field.renamed_from);
        value.map(|value| self.decoded_as(field.name, &value, ty.shape())).transpose()
    }

    /// Takes all that a field holds in `count` elements of a block.
    ///
    /// # Errors
    ///
    /// If it is missing, or holds something else.
    pub fn column<T: Migrated>(
        &mut self,
        field: &StateField,
        ty: WireType,
        count: usize,
    ) -> Result<Vec<T>, StateError> {
        let column = self.column_if_there(field, ty, count)?;
        column.ok_or_else(|| self.missing(field.name))
    }

    /// The same of a field that older versions did not have.
    ///
    /// # Errors
    ///
    /// If it holds something else.
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
            len => {
                Err(self.refuse(field, format_args!("it has {len} elements; {count} are needed")))
            }
        }
    }

    /// Takes all parts of an array that has grown.
    ///
    /// # Errors
    ///
    /// If it is missing, or holds something else.
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

    /// The same of an array that older versions did not have.
    ///
    /// # Errors
    ///
    /// If it holds something else.
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

    /// Takes all parts of an array that has grown, of `count` elements of a block.
    ///
    /// # Errors
    ///
    /// If it is missing, or holds something else.
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

    /// The same of an array that older versions did not have.
    ///
    /// # Errors
    ///
    /// If it holds something else.
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
                let problem = format_args!("it has {} elements; {count} are needed", values.len());
                return Err(self.refuse_named(&name, problem));
            }
            for (array, values) in column.iter_mut().zip(values) {
                array.extend(self.elements_of(&name, values, &part)?);
            }
        }
        Ok(Some(column))
    }

    /// A part of an array; one that an older version lacks is as it was constructed.
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
        let (has, wanted) = (values.len(), part.len());
        Err(self.refuse_named(name, format_args!("it has {has} elements; {wanted} are needed")))
    }

    /// What an older version takes for granted of a field.
    pub(crate) fn initial(&self, name: &str) -> Option<Field<'a>> {
        self.initial.as_ref()?.field(name)
    }

    /// As an array.
    ///
    /// # Errors
    ///
    /// If there are more elements, or fewer.
    pub fn array<T, const N: usize>(
        &self,
        field: &StateField,
        values: Vec<T>,
    ) -> Result<[T; N], StateError> {
        let array = values.try_into();
        array.map_err(|values: Vec<T>| {
            self.refuse(field, format_args!("it has {} elements; {N} are needed", values.len()))
        })
    }

    pub(crate) fn take_named<T: Migrated>(&mut self, name: &str) -> Result<T, StateError> {
        let value = self.find(name, &NO_NAMES).ok_or_else(|| self.missing(name))?;
        self.decoded(name, &value)
    }

    /// Whether a collection may have so many elements.
    ///
    /// # Errors
    ///
    /// If that is more than its `max_len`.
    pub fn check_len(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_len(self.section.id, field, len, field.max_len)
    }

    /// The same of a collection in another one, which may have `max` elements.
    ///
    /// # Errors
    ///
    /// If it has more.
    pub fn check_inner_len(
        &self,
        field: &StateField,
        len: usize,
        max: u64,
    ) -> Result<(), StateError> {
        check_len(self.section.id, field, len, Some(max))
    }

    /// A field that has to be there.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn required<T>(&self, field: &StateField, value: Option<T>) -> Result<T, StateError> {
        value.ok_or_else(|| self.missing(field.name))
    }

    /// What is wrong with the value of a field.
    pub fn refuse(&self, field: &StateField, problem: impl Display) -> StateError {
        self.refuse_named(field.name, problem)
    }

    pub(crate) fn refuse_named(&self, name: &str, problem: impl Display) -> StateError {
        value_error(self.section.id, name, problem)
    }

    /// The field, if it is there, under any of its names.
    pub(crate) fn find(&mut self, name: &str, old: &[impl AsRef<str>]) -> Option<Field<'a>> {
        let is_old = |field: &Field<'_>| old.iter().any(|old| old.as_ref() == field.name);
        let is_it = |field: &Field<'_>| field.name == name || is_old(field);
        let (before, after) = self.section.fields.split_at(self.next);
        // Mostly in the order in which they are asked for.
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
        value.get_as(ours).map_err(|problem: ValueError| self.refuse_named(name, problem))
    }

    /// A field that has to be there is not.
    pub(crate) fn missing(&self, name: &str) -> StateError {
        StateError::MissingField { section: self.section.id.to_owned(), field: name.to_owned() }
    }

    /// All that is known has been taken: what is left is not. How much of that is left out,
    /// although nothing says that it was removed.
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
                tracing::debug!(section, field, "state that is not needed any more is left out");
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
