//! Recordings of devices, which the programs that made them replay.

mod program;
pub(crate) mod shrink;

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use vfio_user::record::{RecordingError, recorded_device};

use crate::error::Error;
use program::replay_option;

/// Returns whether a file is a recording, damaged or not.
pub(crate) fn is_recording(path: &Path) -> bool {
    !matches!(recorded_device(path), Err(RecordingError::NoRecording | RecordingError::Io(_)))
}

/// Becomes the program, which replays a recording, prints the first difference and exits with
/// status 1 if there is one.
///
/// # Errors
///
/// If the program cannot be started.
pub(crate) fn replay(recording: &Path, program: &[OsString]) -> Result<ExitCode, Error> {
    let (program, arguments) =
        program.split_first().ok_or_else(|| Error::NoProgram(recording.into()))?;
    let failed = Command::new(program).args(arguments).arg(replay_option(recording)).exec();
    Err(Error::Replayer { program: program.into(), problem: failed.to_string() })
}
