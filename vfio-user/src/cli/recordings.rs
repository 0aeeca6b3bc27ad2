//! The options for recordings.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::devices::Devices;
use super::error::OptionsError;
use super::sockets::Place;
use crate::record::ReplayError;

/// The options of a program that serves or describes; a replay does neither.
const OF_SERVERS: [&str; 13] = [
    "socket_path",
    "fd",
    "activated",
    "socket_mode",
    "allow_uid",
    "describe",
    "state",
    "paths",
    "record",
    "once",
    "write_multiple",
    "any_memory_file",
    "spin",
];

// Help texts are comments; clap would print one here as that of a whole program.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Recordings {
    /// Write what enters and leaves the device to this file. Of several devices each has a file, in
    /// the order of the sockets
    #[arg(long = "record", value_name = "FILE", conflicts_with_all = ["describe", "state"])]
    record: Vec<PathBuf>,

    /// Run a device again as this recording says, without a client, and print the first difference;
    /// exit with status 1 if there is one
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_SERVERS)]
    replay: Option<PathBuf>,
}

impl Recordings {
    /// Replays a recording, if the options say so, and returns how the program exits then.
    pub(super) fn replay(&self, devices: &mut Devices<'_>) -> Option<i32> {
        let path = self.replay.as_deref()?;
        let of = devices.find_recorded(path);
        Some(match of.and_then(|of| devices.get(of).replay(path)) {
            Ok(replay) => {
                // If the reader is gone, the status is left.
                let _ = writeln!(io::stdout(), "{replay}");
                0
            }
            Err(ReplayError::Differs(differs)) => {
                let _ = writeln!(io::stdout(), "{differs}");
                1
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                2
            }
        })
    }

    /// Gives each device its file, if there are any.
    ///
    /// # Errors
    ///
    /// If there are not as many as devices, or one is given twice.
    pub(super) fn assign<T>(&self, places: &mut [(Place, T)]) -> Result<(), OptionsError> {
        let (files, sockets) = (self.record.len(), places.len());
        if files != 0 && files != sockets {
            return Err(OptionsError::Recordings { files, sockets });
        }
        for (index, path) in self.record.iter().enumerate() {
            if self.record[..index].contains(path) {
                return Err(OptionsError::SameRecording { path: path.clone() });
            }
            places[index].0.recording = Some(path.clone());
        }
        Ok(())
    }
}

/// The file for the recording of a device, which is taken once: the recording of a device that
/// panicked ends there.
#[derive(Debug, Default)]
pub(super) struct RecordOnce(std::cell::RefCell<Vec<usize>>);

impl RecordOnce {
    /// Returns the file for the device at a place, the first time.
    pub(super) fn take<'p>(&self, index: usize, place: &'p Place) -> Option<&'p Path> {
        let path = place.recording.as_deref()?;
        let mut taken = self.0.borrow_mut();
        if taken.contains(&index) {
            tracing::warn!(path = %path.display(), "the recording has ended with the panic");
            return None;
        }
        taken.push(index);
        Some(path)
    }
}
