//! Streams that are kept, and load for ever.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::on_bench;
use super::schema::is_blessed;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::migration::FORMAT;

/// Loads every stream that has been kept of a device, of whatever version: call it in a test.
///
/// It takes a [`Bench`](crate::Bench) with a device that has been used, the more of it the better, a
/// function that constructs one, and the path of a folder, from the folder of the crate's
/// `Cargo.toml`. The folder has a stream of each version, `v1.stream` and so on: a test run with
/// `VFIO_USER_BLESS=1` saves that of the present version, once. If there is one already that an earlier
/// format of streams wrote, the new one is `v1.format2.stream`. Each has to load, and that of the
/// present version and format has to be what is saved after it was loaded.
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
    let saved = used.state();
    let names = [format!("v{version}.stream"), format!("v{version}.format{FORMAT}.stream")];
    let find = |streams: &[(PathBuf, Vec<u8>)]| {
        let is_it = |(path, stream): &(PathBuf, Vec<u8>)| {
            names.iter().any(|name| *path == folder.join(name)) && format(stream) == format(&saved)
        };
        streams.iter().position(is_it)
    };
    let mut kept = streams(folder);
    if is_blessed() && find(&kept).is_none() {
        let free = names.iter().map(|name| folder.join(name)).find(|path| !path.exists());
        keep(&free.expect("one of the names is free"), &saved);
        kept = streams(folder);
    }
    let current = find(&kept).unwrap_or_else(|| {
        panic!("{} has no {}; VFIO_USER_BLESS=1 saves it", folder.display(), names.join(" or "))
    });
    for (place, (path, stream)) in kept.iter().enumerate() {
        let mut bench = on_bench(Bench::without_interrupts(construct()));
        if let Err(error) = bench.hosted_mut().load(stream) {
            panic!("{} does not load: {error}", path.display());
        }
        if place == current {
            assert!(bench.state() == *stream, "{} is not what is saved again", path.display());
        }
    }
}

#[track_caller]
fn keep(path: &Path, stream: &[u8]) {
    let folder = path.parent().unwrap_or(path);
    let kept = fs::create_dir_all(folder).and_then(|()| fs::write(path, stream));
    kept.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The format that a stream says it has: a frame of 5 bytes comes behind the magic of 8.
fn format(stream: &[u8]) -> Option<&[u8]> {
    stream.get(13..15)
}

#[track_caller]
fn streams(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension() == Some(OsStr::new("stream"))).collect();
    paths.sort();
    let read = |path: PathBuf| match fs::read(&path) {
        Ok(stream) => (path, stream),
        Err(error) => panic!("{}: {error}", path.display()),
    };
    paths.into_iter().map(read).collect()
}
