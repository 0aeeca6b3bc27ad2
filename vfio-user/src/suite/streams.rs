//! Recorded streams, which have to load in all later versions.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::schema::{is_blessed, said};
use super::{content, on_bench};
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::migration::{FORMAT, Field, Frame, Section, StreamError, StreamReader, sections};

/// Loads every recorded stream of a device, of any version. Call it in a test.
///
/// The macro takes a [`Bench`](crate::Bench) with a device in use (the more of its state in use,
/// the better), a function that constructs a device, and the path of a folder, relative to the
/// folder of the crate's `Cargo.toml`. The folder has a stream for each version, `v1.stream` and so
/// on. Each stream has to load. Saving the device after loading the stream of the present version
/// and format has to produce the same stream.
///
/// A test run with `VFIO_USER_BLESS=1` records the stream of the present version, and replaces it
/// if the device now saves a different stream. As with [`assert_schema!`](crate::assert_schema), a
/// stream that no longer loads is not replaced: the test fails. If an earlier stream format wrote
/// the stream of this version, that stream stays, and the new one is `v1.format2.stream`.
///
/// A stream that is replaced stays beside the new one, as `v1.2.stream`, `v1.3.stream` and so on,
/// if they differ in more than values: in sections, fields or their types, or in what a guest sees.
/// It has to load for ever, too, as released programs may have written such streams. Remove it if
/// none has.
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

/// The function that [`assert_streams!`](crate::assert_streams) calls, with the full path.
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
    if let Err(problem) = check(used, &mut construct, folder, is_blessed()) {
        panic!("{problem}");
    }
}

fn check<D: PciDevice>(
    used: &Bench<D>,
    construct: &mut impl FnMut() -> D,
    folder: &Path,
    is_blessed: bool,
) -> Result<(), String> {
    let version = used.function().descriptor().state().map_or(0, |state| state.version);
    let saved = used.state();
    let names = [format!("v{version}.stream"), format!("v{version}.format{FORMAT}.stream")];
    let is_current = |path: &Path, stream: &[u8]| {
        names.iter().any(|name| path == folder.join(name)) && format(stream) == format(&saved)
    };
    let mut current = None;
    for (path, stream) in streams(folder)? {
        let mut bench = on_bench(Bench::without_interrupts(construct()));
        if let Err(error) = bench.function_mut().load(&stream) {
            let path = path.display();
            return Err(format!(
                "{path} does not load: {error}\nIf there is no state of before anywhere, remove {path} \
                 and record it anew"
            ));
        }
        if is_current(&path, &stream) {
            let is_same = content::is_same(&bench.state(), &stream);
            current = Some((path, stream, is_same));
        }
    }
    match current {
        Some((path, stream, is_same)) if is_blessed && !(is_same && stream == saved) => {
            if layout(&stream)? != layout(&saved)? {
                set_aside(&path)?;
            }
            keep(&path, &saved)
        }
        Some((_, _, true)) => Ok(()),
        Some((path, _, false)) => Err(format!(
            "{} is not what is saved again; VFIO_USER_BLESS=1 records it",
            path.display()
        )),
        None if is_blessed => {
            let mut paths = names.iter().map(|name| folder.join(name));
            let free = paths.find(|path| !path.exists());
            keep(&free.ok_or("none of the names of this version is free")?, &saved)
        }
        None => Err(format!(
            "{} has no {}; VFIO_USER_BLESS=1 records it",
            folder.display(),
            names.join(" or ")
        )),
    }
}

/// What a stream consists of, without the values: its frames but for memory, and the sections and
/// fields of its state, with their types.
fn layout(stream: &[u8]) -> Result<BTreeSet<String>, String> {
    let mut layout = BTreeSet::new();
    let note = |frame: Frame<'_>| {
        match frame {
            Frame::State(state) => {
                for Section { id, version, fields, .. } in sections(state)? {
                    layout.insert(format!("{id} {version}"));
                    let field =
                        |field: &Field<'_>| format!("{id}.{}: {:?}", field.name, field.ty());
                    layout.extend(fields.iter().map(field));
                }
            }
            Frame::Memory(_) => (),
            frame => drop(layout.insert(format!("{frame:?}"))),
        }
        Ok(())
    };
    let read = StreamReader::new().push(stream, note);
    read.map_err(|error: StreamError| error.to_string())?;
    Ok(layout)
}

/// Gives a stream the next free name behind its own: `v1.2.stream`.
fn set_aside(path: &Path) -> Result<(), String> {
    let name = |number: u32| path.with_extension(format!("{number}.stream"));
    let free =
        (2..=u32::MAX).map(name).find(|path| !path.exists()).ok_or("there is no free name")?;
    fs::rename(path, free).map_err(|error| said(path, &error))
}

fn keep(path: &Path, stream: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    let kept = fs::create_dir_all(folder).and_then(|()| fs::write(path, stream));
    kept.map_err(|error| said(path, &error))
}

/// Returns the format in the stream's header: a frame header of 5 bytes follows the magic of 8.
fn format(stream: &[u8]) -> Option<&[u8]> {
    stream.get(13..15)
}

fn streams(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension() == Some(OsStr::new("stream"))).collect();
    paths.sort();
    let read = |path: PathBuf| match fs::read(&path) {
        Ok(stream) => Ok((path, stream)),
        Err(error) => Err(said(&path, &error)),
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests;
