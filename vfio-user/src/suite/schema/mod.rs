//! The lock of a device's state: what its streams hold, as text that is kept beside the device.

mod compare;
mod declared;
mod text;

use std::path::Path;
use std::{env, fs};

use crate::device::PciDevice;

/// Compares the state of a device with what was recorded of it: call it in a test.
///
/// The second argument is the path of the record, from the folder of the crate's `Cargo.toml`. It is
/// text, checked in, that a test run with `VFIO_USER_BLESS=1` writes:
///
/// ```text
/// section device, version 2, min 1
///     buffer: bytes  at most 4096
///     names: [str]  at most 8, 64
///     pace: f64  since 2  default 1.5
///     kind: <Off | Timed{left: u32, or remaining}>  was mode
/// ```
///
/// State that changes needs a new `version`. A field that older state is without needs `since`; one
/// that is gone has to be named in `removed(..)`; or no older state is accepted any more
/// (`min`). What guests see of the layout, BARs and capabilities, cannot change otherwise. As
/// long as one of these is missing the test fails, says what has changed, and records nothing. Before
/// there is any state to be kept, remove the record and write it anew.
///
/// A type is what a stream holds of it: fields and variants of the author's own types are in it, boxes
/// and newtypes are not. What reads whatever comes, or contains itself, is `any`. A change is refused
/// here if state of before may be refused when it is loaded. Places, policies and reset values of
/// registers, defaults and conversions are in the record, since a change of them takes a new version,
/// and does not keep state from being loaded. What [`configure`](crate::Device::configure) adds is left
/// out.
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

/// What [`assert_schema!`](crate::assert_schema) calls, with the whole path.
///
/// # Panics
///
/// If the state is not what was recorded.
#[track_caller]
pub fn assert_schema<D: PciDevice>(path: impl AsRef<Path>) {
    if let Err(problem) = check::<D>(path.as_ref(), is_blessed()) {
        panic!("{problem}");
    }
}

/// Whether what there is now is recorded as what has to be.
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
    if let Some(broken) = compare::told(name, changes.iter().filter(|change| !change.is_allowed)) {
        let path = path.display();
        return Err(format!(
            "{broken}\nIf there is no state of before anywhere, remove {path} and record it anew"
        ));
    }
    match compare::told(name, changes.iter()) {
        Some(_) if is_blessed => record(),
        Some(told) => Err(format!("{told}\nVFIO_USER_BLESS=1 records it")),
        None => Ok(()),
    }
}

pub(super) fn said(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests;
