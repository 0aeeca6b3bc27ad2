//! Conversion between private state and sections.

mod reader;
mod writer;

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Shape};
use super::{StateError, StateField, ValueProblem};
pub use reader::StateReader;
pub use writer::StateWriter;

/// The former names of a field that had no other name.
pub(crate) const NO_NAMES: [&str; 0] = [];

/// A type that can be part of a device's state: plain data, with serde's `Serialize` and
/// `Deserialize`.
///
/// Derive both for types of your own. Integers, `bool`, `String`, `Option`, tuples and collections
/// implement them.
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

/// The type of a value in a stream, as a value is read: boxes and newtypes make no difference.
///
/// ```
/// use vfio_user::migration::WireType;
///
/// assert_eq!(WireType::of::<Vec<(u8, Option<String>)>>().to_string(), "[(u8, Option<str>)]");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WireType {
    shape: &'static Shape,
    accepted: fn() -> Shape,
}

impl WireType {
    /// Returns the type in a stream of a Rust type.
    pub fn of<T: Migrated>() -> Self {
        WireType { shape: codec::shape_of::<T>(), accepted: codec::accepted_by::<T> }
    }

    /// Returns the type of a conversion's argument when it loads.
    pub fn taken_by<T: Migrated, R>(_: impl FnOnce(T) -> R) -> Self {
        Self::of::<T>()
    }

    pub(crate) fn shape(self) -> &'static Shape {
        self.shape
    }

    /// Returns the type with the values that it refuses, found by trying some.
    pub(crate) fn accepted(self) -> Shape {
        (self.accepted)()
    }
}

impl PartialEq for WireType {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
    }
}

impl Eq for WireType {}

impl Display for WireType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shape.fmt(f)
    }
}

/// Exchanges the loaded state and that of the device. Calling it twice restores both.
pub type Exchange<D> = Box<dyn FnMut(&mut D)>;

/// Exchanges loaded state with that of elements of a block.
pub type ExchangeAll<B> = Box<dyn FnMut(&mut [&mut B])>;

fn check_len(
    section: &str,
    field: &StateField,
    len: usize,
    max: Option<u64>,
) -> Result<(), StateError> {
    match max {
        Some(most) if len as u64 > most => {
            Err(value_error(section, field.name, ValueProblem::TooLong { len, most }))
        }
        _ => Ok(()),
    }
}

fn check_elements(section: &str, field: &StateField, len: usize) -> Result<(), StateError> {
    match field.elements {
        Some(needed) if len as u64 != needed => {
            Err(value_error(section, field.name, ValueProblem::Elements { len, needed }))
        }
        _ => Ok(()),
    }
}

pub(super) fn value_error(
    section: &str,
    field: &str,
    problem: impl Into<ValueProblem>,
) -> StateError {
    let (section, field) = (section.to_owned(), field.to_owned());
    StateError::Value { section, field, problem: problem.into() }
}
