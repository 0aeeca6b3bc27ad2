//! The lock of a device's state: a record of the content of its streams, kept as text beside the
//! device.

mod compare;
mod declared;
mod text;

use std::path::Path;
use std::{env, fs};

use crate::device::PciDevice;

/// Compares the layout of a device's state with a record of it. Call it in a test.
///
/// The second argument is the path of the record, relative to the folder of the crate's
/// `Cargo.toml`. The record is a text file under version control; a test run with
/// `VFIO_USER_BLESS=1` writes it:
///
/// ```text
/// section device, version 2, min 1
///     buffer: bytes  at most 4096
///     names: [str]  at most 8, 64
///     pace: f64  since 2  default 1.5
///     kind: <Off | Timed{left: u32, or remaining}>  was mode
/// ```
///
/// A changed state needs a new `version`. A field that older state lacks needs `since`. A field
/// that no longer exists has to be named in `removed(..)`. Otherwise, `min` has to refuse older
/// state. The layout that guests see, such as BARs and capabilities, changes only that way. As long
/// as one of these is missing, the test fails, reports the changes, and records nothing. Before any
/// state exists that has to be kept, remove the record and write it anew.
///
/// A type in the record is what a stream holds: it includes fields and variants of the author's own
/// types, but not boxes and newtypes. A type that reads any value, or contains itself, is `any`.
/// The values that a type refuses follow it: `NonZeroU8` is `u8 but 0`. The test tries the limits
/// of integers, the powers of two, and empty and special values; it does not find a type that
/// refuses only other values.
///
/// The test refuses a change here if loading could refuse older state. The record includes the
/// places, policies and reset values of registers, defaults and conversions: a change of them takes
/// a new version, but does not prevent loading. It leaves out the additions of
/// [`configure`](crate::Device::configure).
///
/// ```no_run
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Counter { count: u64 }
/// # impl Device for Counter { type Event = (); }
/// # mod tests { use super::*;
/// #[test]
/// fn state_is_what_was_recorded() {
///     vfio_user::assert_schema!(Counter, "counter.schema");
/// }
/// # }
/// ```
#[macro_export]
macro_rules! assert_schema {
    ($device:ty, $path:expr $(,)?) => {
        $crate::suite::assert_schema::<$device>(
            ::std::path::Path::new(::core::env!("CARGO_MANIFEST_DIR")).join($path),
        )
    };
}

/// The function that [`assert_schema!`](crate::assert_schema) calls, with the full path.
///
/// # Panics
///
/// If the state differs from the record.
#[track_caller]
pub fn assert_schema<D: PciDevice>(path: impl AsRef<Path>) {
    if let Err(problem) = check::<D>(path.as_ref(), is_blessed()) {
        panic!("{problem}");
    }
}

/// Whether the present state is to be recorded as the expected one.
pub(super) fn is_blessed() -> bool {
    env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1")
}

fn check<D: PciDevice>(path: &Path, is_blessed: bool) -> Result<(), String> {
    let name = D::DESCRIPTOR.name();
    let found = declared::schema::<D>().ok_or_else(|| format!("`{name}` does not migrate"))?;
    let record = || fs::write(path, found.to_string()).map_err(|error| said(path, &error));
    let recorded = match fs::read_to_string(path) {
        Ok(text) => text::Schema::parse(&text).map_err(|error| said(path, &error))?,
        Err(_) if is_blessed => return record(),
        Err(error) => {
            return Err(format!("{}; VFIO_USER_BLESS=1 records it", said(path, &error)));
        }
    };
    let changes = compare::changes(&recorded, &found);
    if let Some(broken) =
        compare::describe(name, changes.iter().filter(|change| !change.is_allowed))
    {
        let path = path.display();
        return Err(format!(
            "{broken}\nIf there is no state of before anywhere, remove {path} and record it anew"
        ));
    }
    match compare::describe(name, changes.iter()) {
        Some(_) if is_blessed => record(),
        Some(text) => Err(format!("{text}\nVFIO_USER_BLESS=1 records it")),
        None => Ok(()),
    }
}

pub(super) fn said(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests;
