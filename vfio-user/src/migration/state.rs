//! Private state on its way into a section and back.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Plain, Shape, ValueError};
use super::{
    Field, FieldsWriter, Part, Section, SectionsWriter, StateError, StateField, StateLayout,
    is_removed,
};

/// Of a field that had no other name.
pub(crate) const NO_NAMES: [&str; 0] = [];

/// What can be part of a device's state: plain data, with serde's `Serialize` and `Deserialize`.
///
/// Derive both for types of your own. Integers, `bool`, `String`, `Option`, tuples and collections
/// have them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be migrated",
    label = "not part of a state",
    note = "derive serde's `Serialize` and `Deserialize` for it, convert it (`#[migrate(with = ..)]`), leave \
            it out (`#[migrate(skip)]`), or say that the device does not migrate \
            (`#[migrate(none)]` on the struct)"
)]
pub trait Migrated: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Migrated for T {}

/// The type of a value in a stream. It is as a value is read: boxes and newtypes make no difference.
///
/// ```
/// use vfio_user::migration::WireType;
///
/// assert_eq!(WireType::of::<Vec<(u8, Option<String>)>>().to_string(), "[(u8, Option<str>)]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireType(&'static Shape);

impl WireType {
    /// Of a Rust type.
    pub fn of<T: Migrated>() -> Self {
        WireType(codec::shape_of::<T>())
    }

    /// Of what a conversion takes when it loads.
    pub fn taken_by<T: Migrated, R>(_: impl FnOnce(T) -> R) -> Self {
        Self::of::<T>()
    }

    pub(crate) fn shape(self) -> &'static Shape {
        self.0
    }
}

impl Display for WireType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Exchanges loaded state and that of the device. Done twice, nothing has happened.
pub type Exchange<D> = Box<dyn FnMut(&mut D)>;

/// Writes the fields of a section.
#[derive(Debug)]
pub struct StateWriter<'a> {
    section: &'a str,
    fields: FieldsWriter<'a>,
    /// What older versions take for granted.
    initial: Option<Section<'a>>,
}

impl<'a> StateWriter<'a> {
    pub(crate) fn new(writer: &'a mut SectionsWriter, id: &'a str, layout: &StateLayout) -> Self {
        let fields = writer.section(id, layout.version, layout.min);
        StateWriter { section: id, fields, initial: None }
    }

    /// Older versions take the values of `initial` for granted of what they lack.
    pub(crate) fn with_initial(self, initial: Option<Section<'a>>) -> Self {
        StateWriter { initial, ..self }
    }

    pub(crate) fn finish(self) {
        self.fields.finish();
    }

    /// Adds a field.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as what it is read as.
    pub fn put<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        value: &T,
    ) -> Result<(), StateError> {
        self.fields.needs(field.since);
        self.put_as(field.name, ty.shape(), value)
    }

    /// Adds a field. If it is what a version without it takes for granted, that one may leave it out.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as what it is read as.
    pub fn put_unless<T: Serialize + ?Sized>(
        &mut self,
        field: &StateField,
        ty: WireType,
        value: &T,
        default: &T,
    ) -> Result<(), StateError> {
        self.put_new(field.name, field.since, ty.shape(), value, default)
    }

    /// Adds a field of all elements of a block.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
    pub fn put_column<T: Serialize>(
        &mut self,
        field: &StateField,
        ty: WireType,
        column: &[T],
    ) -> Result<(), StateError> {
        self.fields.needs(field.since);
        self.put_as(field.name, &Shape::many(ty.shape().clone()), column)
    }

    /// The same, unless all of it is what a version without it takes for granted.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
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

    /// Adds a part of an array that has grown. Versions with fewer elements may leave out the others
    /// while those are as they were constructed.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
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

    /// The same of a field that a version has added.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
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

    /// Adds a part of the arrays of all elements of a block.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
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

    /// The same of a field that a version has added.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as what it is read as.
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

    /// Elements by which an array has grown. Versions without them take for granted that they are as
    /// they were constructed, and those without the array that all of it is its default.
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

    /// A field that was added by a version. It is always sent, so that another default of the reader's
    /// makes no difference; what older versions take for granted is not critical.
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

    /// Whether a collection may have so many elements.
    ///
    /// # Errors
    ///
    /// If that is more than its `max_len`.
    pub fn check_len(&self, field: &StateField, len: usize) -> Result<(), StateError> {
        check_len(self.section, field, len, field.max_len)
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
        check_len(self.section, field, len, Some(max))
    }
}

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

    /// All that is known has been taken: what is left is not. How much of that is left out, although
    /// nothing says that it was removed.
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

fn check_len(
    section: &str,
    field: &StateField,
    len: usize,
    max: Option<u64>,
) -> Result<(), StateError> {
    match max {
        Some(max) if len as u64 > max => {
            let problem = format_args!("it holds {len} elements; at most {max} are accepted");
            Err(value_error(section, field.name, problem))
        }
        _ => Ok(()),
    }
}

/// A text without control characters: parts of it may be of the stream, and it is logged.
fn printable(text: &str) -> String {
    let escaped = |letter: char| {
        let is_plain = !letter.is_control() && !is_format(letter);
        if is_plain { letter.to_string() } else { letter.escape_unicode().to_string() }
    };
    text.chars().map(escaped).collect()
}

/// Whether a character changes the direction or the visibility of others.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

pub(super) fn value_error(section: &str, field: &str, problem: impl Display) -> StateError {
    let (section, field) = (section.to_owned(), field.to_owned());
    StateError::Value { section, field, problem: printable(&problem.to_string()) }
}
