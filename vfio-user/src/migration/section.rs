//! Sections of a state, and their fields by name.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Shape, ValueError};
use super::error::{SectionProblem, StreamError};
use super::{MAX_FIELDS, MAX_SECTIONS, is_name};

/// Flag: a reader without the section or field has to refuse the stream.
const CRITICAL: u8 = 1 << 0;
/// Flag of a section: its fields have types. In format 1 they do not.
const TYPED: u16 = 1 << 1;
/// Length of version, smallest reader, flags, number of fields and length.
const HEADER: usize = 12;

/// A section of a state: a part with versions of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name of the section.
    pub id: &'a str,
    /// The version that wrote it.
    pub version: u16,
    /// The smallest version that can read it.
    pub min_reader: u16,
    /// Whether a reader without this section has to refuse the stream.
    pub is_critical: bool,
    /// The fields in the order in which they were written. Their names may repeat.
    pub fields: Vec<Field<'a>>,
}

impl<'a> Section<'a> {
    pub(crate) fn field(&self, name: &str) -> Option<Field<'a>> {
        self.fields.iter().find(|field| field.name == name).copied()
    }

    /// Whether the fields of two sections have the same values.
    fn holds_the_same(&self, other: &Section<'_>) -> bool {
        let is_same = |(one, other): (&Field<'_>, &Field<'_>)| {
            (one.name, one.value, one.shape) == (other.name, other.value, other.shape)
        };
        self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(is_same)
    }
}

/// A field of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether a reader without this field has to refuse the stream.
    pub is_critical: bool,
    /// Its value, as the codec wrote it.
    pub value: &'a [u8],
    /// Its type, if the stream has it.
    pub(super) shape: Option<&'a [u8]>,
}

impl Field<'_> {
    /// Returns the value, if it is exactly one value of this type.
    ///
    /// # Errors
    ///
    /// The problem of the value.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        match self.shape {
            Some(shape) => codec::decode(self.value, &codec::read_shape(shape)?),
            None => codec::decode_1(self.value),
        }
    }

    /// Returns the type of the value as a text, such as `{head: u16, done: [bool; 4]}`; `None` in
    /// format 1, and `any` for values that carry their own type.
    pub fn ty(&self) -> Option<String> {
        let shape = codec::read_shape(self.shape?);
        Some(shape.map_or_else(|problem| problem.to_string(), |shape| shape.to_string()))
    }

    /// Returns the value, if its type is the expected one.
    pub(crate) fn get_as<T: DeserializeOwned>(&self, ours: &Shape) -> Result<T, ValueError> {
        let Some(shape) = self.shape else { return codec::decode_1(self.value) };
        if ours.is_written_as(shape) {
            return codec::decode(self.value, ours);
        }
        let shape = codec::read_shape(shape)?;
        ours.accepts(&shape)?;
        codec::decode(self.value, &shape)
    }
}

/// Returns the sections of a state frame, in order. No two have the same id.
///
/// # Errors
///
/// [`StreamError::Section`] if the frame does not consist of sections.
pub fn sections(mut state: &[u8]) -> Result<Vec<Section<'_>>, StreamError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    while !state.is_empty() {
        let place = sections.len();
        let wrong = |problem| StreamError::Section { section: place, problem };
        if place == MAX_SECTIONS {
            return Err(wrong(SectionProblem::Sections));
        }
        let section = section(&mut state).map_err(wrong)?;
        if sections.iter().any(|other| other.id == section.id) {
            return Err(wrong(SectionProblem::Duplicate(section.id.to_owned())));
        }
        sections.push(section);
    }
    Ok(sections)
}

fn section<'a>(state: &mut &'a [u8]) -> Result<Section<'a>, SectionProblem> {
    let id = name(state)?;
    let header = take(state, HEADER)?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (version, min_reader, flags, count) = (word(0), word(2), word(4), word(6));
    if flags & !(u16::from(CRITICAL) | TYPED) != 0 {
        return Err(SectionProblem::Flags(flags));
    }
    if usize::from(count) > MAX_FIELDS {
        return Err(SectionProblem::Fields(count));
    }
    let mut rest = take(state, length(&header[8..]))?;
    let mut fields: Vec<Field<'a>> = Vec::with_capacity(count.into());
    for _ in 0..count {
        let mut field = field(&mut rest)?;
        if flags & TYPED != 0 {
            let before = |place: usize| fields.get(place).and_then(|field| field.shape);
            let shape = codec::take_shape(&mut field.value, before);
            field.shape = Some(shape.map_err(|_| SectionProblem::Type)?);
        }
        fields.push(field);
    }
    if !rest.is_empty() {
        return Err(SectionProblem::Filling);
    }
    Ok(Section { id, version, min_reader, is_critical: flags & u16::from(CRITICAL) != 0, fields })
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, SectionProblem> {
    let name = name(rest)?;
    let header = take(rest, 5)?;
    if header[0] & !CRITICAL != 0 {
        return Err(SectionProblem::Flags(header[0].into()));
    }
    let value = take(rest, length(&header[1..]))?;
    Ok(Field { name, is_critical: header[0] != 0, value, shape: None })
}

fn name<'a>(rest: &mut &'a [u8]) -> Result<&'a str, SectionProblem> {
    let len = take(rest, 1)?[0];
    let name = take(rest, len.into())?;
    let text = str::from_utf8(name).ok().filter(|_| is_name(name));
    text.ok_or(SectionProblem::Name)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], SectionProblem> {
    let (taken, left) = rest.split_at_checked(len).ok_or(SectionProblem::Truncated)?;
    *rest = left;
    Ok(taken)
}

/// A length that is far too large stays too large.
fn length(bytes: &[u8]) -> usize {
    let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Writes the sections of a state.
///
/// ```
/// use vfio_user::migration::{SectionsWriter, sections};
///
/// let mut writer = SectionsWriter::default();
/// let mut device = writer.section("device", 1, 1);
/// device.field("counter", &7_u64)?;
/// device.finish();
/// let state = writer.finish();
/// assert_eq!(sections(&state)?[0].fields[0].get::<u64>()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct SectionsWriter {
    out: Vec<u8>,
    /// Start of the last section.
    last: usize,
}

impl SectionsWriter {
    /// Starts a section. It is critical, and so are all of its fields.
    ///
    /// # Panics
    ///
    /// If the id is not valid: 1 to 64 letters, digits, `_` and `.`.
    pub fn section(&mut self, id: &str, version: u16, min_reader: u16) -> FieldsWriter<'_> {
        self.last = self.out.len();
        put_name(&mut self.out, id);
        let start = self.out.len();
        self.out.extend(version.to_le_bytes());
        self.out.extend(min_reader.to_le_bytes());
        self.out.extend((u16::from(CRITICAL) | TYPED).to_le_bytes());
        self.out.extend([0; 6]);
        let (shapes, shape) = (BTreeMap::new(), Vec::new());
        FieldsWriter { out: &mut self.out, start, min_reader, count: 0, shapes, shape, first: 0 }
    }

    /// Makes the last section not critical if it holds the same as `other`: the values that a
    /// reader without it assumes.
    pub(crate) fn relax_last(&mut self, other: &Section<'_>) {
        let mut rest = &self.out[self.last..];
        let is_same = section(&mut rest).is_ok_and(|last| last.holds_the_same(other));
        if is_same {
            let flags = self.last + 1 + usize::from(self.out[self.last]) + 4;
            self.out[flags] &= !CRITICAL;
        }
    }

    /// Returns all sections.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Writes the fields of a section.
#[derive(Debug)]
#[must_use = "a section ends with `finish`"]
pub struct FieldsWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Start of the header behind the id.
    start: usize,
    min_reader: u16,
    count: u16,
    /// The written shapes, and the first field that has each.
    shapes: BTreeMap<Vec<u8>, usize>,
    /// The shape of the last field, and the first field that has it.
    shape: Vec<u8>,
    first: usize,
}

impl FieldsWriter<'_> {
    /// Adds a field whose value carries its own type.
    ///
    /// # Errors
    ///
    /// If the value cannot be written: it is nested too deep, or there are more than
    /// [`MAX_FIELDS`](super::MAX_FIELDS) fields.
    ///
    /// # Panics
    ///
    /// If the name is not valid: 1 to 64 letters, digits, `_` and `.`.
    pub fn field<T>(&mut self, name: &str, value: &T) -> Result<(), ValueError>
    where
        T: Serialize + ?Sized,
    {
        self.typed(name, &Shape::Any, true, |out| codec::encode(value, &Shape::Any, out))
    }

    /// Adds a field of a type. A reader without the field may ignore it if it is not critical.
    pub(crate) fn typed(
        &mut self,
        name: &str,
        shape: &Shape,
        is_critical: bool,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        if usize::from(self.count) == MAX_FIELDS {
            return Err(ValueError::new(format!("it is one more than {MAX_FIELDS} fields")));
        }
        put_name(self.out, name);
        self.out.push(if is_critical { CRITICAL } else { 0 });
        let start = self.out.len();
        self.out.extend([0; 4]);
        let before = self.shape_before(shape);
        codec::put_shape(&self.shape, before, self.out);
        if before.is_none() {
            self.first = self.count.into();
            self.shapes.insert(self.shape.clone(), self.first);
        }
        write(self.out)?;
        put_length(self.out, start);
        self.count += 1;
        Ok(())
    }

    /// Returns the first field with a shape, if there is one, and keeps the bytes of the shape.
    fn shape_before(&mut self, shape: &Shape) -> Option<usize> {
        // Most fields are registers, which are alike.
        if shape.is_written_as(&self.shape) {
            return Some(self.first);
        }
        self.shape.clear();
        shape.write(&mut self.shape);
        let before = self.shapes.get(&self.shape).copied();
        self.first = before.unwrap_or(self.first);
        before
    }

    /// Requires a reader of this version.
    pub fn needs(&mut self, version: u16) {
        self.min_reader = self.min_reader.max(version);
    }

    /// Completes the section.
    pub fn finish(self) {
        let FieldsWriter { out, start, min_reader, count, .. } = self;
        out[start + 2..start + 4].copy_from_slice(&min_reader.to_le_bytes());
        out[start + 6..start + 8].copy_from_slice(&count.to_le_bytes());
        put_length(out, start + 8);
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    assert!(is_name(name.as_bytes()), "`{name}` cannot be a name in a stream");
    out.push(u8::try_from(name.len()).expect("names are short"));
    out.extend_from_slice(name.as_bytes());
}

/// Writes the number of bytes behind a length field into it.
fn put_length(out: &mut [u8], at: usize) {
    let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

#[cfg(test)]
mod tests;
