//! Streams that are kept, and load for ever.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::on_bench;
use super::schema::is_blessed;
use crate::bench::Bench;
use crate::device::PciDevice;

/// Loads every stream that has been kept of a device, of whatever version: call it in a test.
///
/// It takes a [`Bench`](crate::Bench) with a device that has been used, the more of it the better, a
/// function that constructs one, and the path of a folder, from the folder of the crate's
/// `Cargo.toml`. The folder has a stream of each version, `v1.stream` and so on: a test run with
/// `VFIO_USER_BLESS=1` saves that of the present version, once. Each has to load, and that of the
/// present version has to be what is saved after it was loaded.
///
/// ```no_run
/// # use vfio_user::{Bench, Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Counter { count: u64 }
/// # impl Device for Counter { type Event = (); }
/// # mod tests { use super::*;
/// #[test]
/// fn streams_of_every_version_load() {
///     let used = Bench::new(Counter { count: 7 }).unwrap();
///     vfio_user::assert_streams!(used, Counter::default, "tests/streams/counter");
/// }
/// # }
/// ```
#[macro_export]
macro_rules! assert_streams {
    ($used:expr, $construct:expr, $folder:expr $(,)?) => {
        $crate::suite::assert_streams(
            &$used,
            $construct,
            ::std::path::Path::new(::core::env!("CARGO_MANIFEST_DIR")).join($folder),
        )
    };
}

/// What [`assert_streams!`](crate::assert_streams) calls, with the whole path.
///
/// # Panics
///
/// If a stream does not load, or is missing.
#[track_caller]
pub fn assert_streams<D: PciDevice>(
    used: &Bench<D>,
    mut construct: impl FnMut() -> D,
    folder: impl AsRef<Path>,
) {
    let folder = folder.as_ref();
    let version = used.hosted().descriptor().state().map_or(0, |state| state.version);
    let current = folder.join(format!("v{version}.stream"));
    if is_blessed() && !current.exists() {
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        fs::write(&current, used.save())
            .unwrap_or_else(|error| panic!("{}: {error}", current.display()));
    }
    let streams = streams(folder);
    assert!(
        streams.contains(&current),
        "there is no {}; VFIO_USER_BLESS=1 saves it",
        current.display()
    );
    for path in streams {
        let stream = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut bench = on_bench(Bench::without_interrupts(construct()));
        if let Err(error) = bench.load(&stream) {
            panic!("{} does not load: {error}", path.display());
        }
        if path == current {
            assert!(bench.save() == stream, "{} is not what is saved again", path.display());
        }
    }
}

fn streams(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut streams: Vec<_> =
        entries.filter(|path| path.extension() == Some(OsStr::new("stream"))).collect();
    streams.sort();
    streams
}
