//! The state of an older version, for conversion before it is loaded.

use std::fmt::Display;

use super::codec;
use super::state::{Migrated, value_error};
use super::{Field, Section, StateError, ValueProblem};

/// The state of an older version, by the names of its sections and fields. The function in
/// `#[migrate(convert = ..)]` receives it, and converts it into state that this version loads.
///
/// Sections are `device` (private fields), `registers`, `block.` and the name of a block, and
/// `timers`. Registers are `u64`, arrays of them and all registers of blocks are `Vec<u64>`; a
/// private field of a block is a `Vec` with one value for each element. A timer that is armed is
/// `Some` of the nanoseconds that are left, an `Option<u64>`.
///
/// ```
/// use vfio_user::migration::{OldState, StateError};
/// use vfio_user::{Bench, Device, PciDevice, RegisterBlock};
///
/// #[derive(Default, RegisterBlock)]
/// struct Queue {
///     #[reg(0x00)]
///     base: u32,
/// }
///
/// /// Version 1 had eight queues, and a register `mode` that is a private field now.
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// #[migrate(version = 2, convert = Self::from_old)]
/// struct Card {
///     #[block(0x100)]
///     queues: [Queue; 16],
///     is_fast: bool,
/// }
///
/// impl Card {
///     fn from_old(old: &mut OldState) -> Result<(), StateError> {
///         let mode: Option<u64> = old.take("registers", "mode")?;
///         old.put("device", "is_fast", &(mode == Some(1)))?;
///         let mut base: Vec<u64> = old.take("block.queues", "base")?.unwrap_or_default();
///         base.resize(16, 0);
///         old.put("block.queues", "base", &base)
///     }
/// }
///
/// impl Device for Card {
///     type Event = ();
/// }
/// ```
#[derive(Debug)]
pub struct OldState {
    version: u16,
    sections: Vec<OldSection>,
}

#[derive(Debug)]
struct OldSection {
    id: String,
    version: u16,
    min_reader: u16,
    is_critical: bool,
    fields: Vec<OldField>,
}

#[derive(Debug)]
struct OldField {
    name: String,
    is_critical: bool,
    value: Vec<u8>,
    shape: Option<Vec<u8>>,
}

impl OldSection {
    fn as_section(&self) -> Section<'_> {
        Section {
            id: &self.id,
            version: self.version,
            min_reader: self.min_reader,
            is_critical: self.is_critical,
            fields: self.fields.iter().map(OldField::as_field).collect(),
        }
    }
}

impl OldField {
    fn as_field(&self) -> Field<'_> {
        let OldField { name, is_critical, value, shape } = self;
        Field { name, is_critical: *is_critical, value, shape: shape.as_deref() }
    }
}

impl OldState {
    /// Creates the state of a device whose own section is of `version`.
    pub(crate) fn new(version: u16, sections: &[Section<'_>]) -> Self {
        let field = |field: &Field<'_>| OldField {
            name: field.name.to_owned(),
            is_critical: field.is_critical,
            value: field.value.to_vec(),
            shape: field.shape.map(<[u8]>::to_vec),
        };
        let section = |section: &Section<'_>| OldSection {
            id: section.id.to_owned(),
            version: section.version,
            min_reader: section.min_reader,
            is_critical: section.is_critical,
            fields: section.fields.iter().map(field).collect(),
        };
        OldState { version, sections: sections.iter().map(section).collect() }
    }

    /// Returns the sections, as in a stream.
    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        self.sections.iter().map(OldSection::as_section).collect()
    }

    /// Keeps the fields for which `is_kept` returns true; its arguments are the section and the
    /// field.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&str, &str) -> bool) {
        for OldSection { id, fields, .. } in &mut self.sections {
            fields.retain(|field| is_kept(id, &field.name));
        }
    }

    /// Returns the version of the device that saved the state.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Whether the state has a section.
    pub fn has_section(&self, section: &str) -> bool {
        self.sections.iter().any(|one| one.id == section)
    }

    /// Removes a field and returns its value; `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// If its value is of another type.
    pub fn take<T: Migrated>(
        &mut self,
        section: &str,
        field: &str,
    ) -> Result<Option<T>, StateError> {
        let fields = self.sections.iter_mut().find(|one| one.id == section);
        let Some(fields) = fields.map(|section| &mut section.fields) else { return Ok(None) };
        let place = fields.iter().position(|one| one.name == field);
        let Some(taken) = place.map(|place| fields.remove(place)) else { return Ok(None) };
        let value = taken.as_field().get_as(codec::shape_of::<T>());
        value.map(Some).map_err(|problem| value_error(section, field, problem))
    }

    /// Adds or replaces a field. Adds the section if it is missing.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as the type that is read.
    pub fn put<T: Migrated>(
        &mut self,
        section: &str,
        field: &str,
        value: &T,
    ) -> Result<(), StateError> {
        let (shape, mut bytes) = (codec::shape_of::<T>(), Vec::new());
        let written = codec::encode(value, shape, &mut bytes);
        written.map_err(|problem| value_error(section, field, problem))?;
        let shape = Some(codec::shape_bytes(shape));
        let new = OldField { name: field.to_owned(), is_critical: true, value: bytes, shape };
        let fields = &mut self.section(section).fields;
        match fields.iter_mut().find(|one| one.name == field) {
            Some(old) => *old = new,
            None => fields.push(new),
        }
        Ok(())
    }

    /// Changes the id of a section. Returns whether there was one.
    pub fn rename_section(&mut self, section: &str, id: &str) -> bool {
        let found = self.sections.iter_mut().find(|one| one.id == section);
        found.map(|section| id.clone_into(&mut section.id)).is_some()
    }

    /// Removes a section. Returns whether there was one.
    pub fn remove_section(&mut self, section: &str) -> bool {
        let before = self.sections.len();
        self.sections.retain(|one| one.id != section);
        self.sections.len() < before
    }

    /// Returns an error that names a field and its problem.
    pub fn refuse(&self, section: &str, field: &str, problem: impl Display) -> StateError {
        value_error(section, field, ValueProblem::refused(problem))
    }

    fn section(&mut self, id: &str) -> &mut OldSection {
        let place = self.sections.iter().position(|one| one.id == id).unwrap_or_else(|| {
            // The section has the present version, whatever its number is.
            self.sections.push(OldSection {
                id: id.to_owned(),
                version: u16::MAX,
                min_reader: 0,
                is_critical: true,
                fields: Vec::new(),
            });
            self.sections.len() - 1
        });
        &mut self.sections[place]
    }
}
