//! Errors of `vfu`.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vfio_user::client::MigrationErrorKind;
use vfio_user::migration::StreamError;
use vfio_user::monitor::ClientError;
use vfio_user::record::RecordingError;

use crate::import::Problem;
use crate::log::LogError;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be read.
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A file holds something other than a state stream.
    #[error("{}", path.display())]
    Stream { path: PathBuf, source: StreamError },
    /// A file holds something other than a log.
    #[error("{}", path.display())]
    Log { path: PathBuf, source: LogError },
    /// A file is neither a log nor a recording.
    #[error(
        "{}: this is no log of `vfu proxy`, and no recording of a device program (`--record`)",
        .0.display()
    )]
    NotPlayable(PathBuf),
    /// A log does not have the connection to play.
    #[error("{}: it has no connection {connection}", log.display())]
    NoConnection { log: PathBuf, connection: u32 },
    /// A file is not a description of the device.
    #[error("{}: {problem}", path.display())]
    Description { path: PathBuf, problem: String },
    /// A file is not a register map.
    #[error("{}", path.display())]
    Map { path: PathBuf, source: Problem },
    /// A file is not a recording of a device.
    #[error("{}", path.display())]
    Recording { path: PathBuf, source: RecordingError },
    /// A recording cannot be made smaller.
    #[error("the recording cannot be read, or a smaller one not written")]
    Shrink(#[from] RecordingError),
    /// A recording is given without the program that replays it.
    #[error("{}: a recording needs the program that made it, behind `--`", .0.display())]
    NoProgram(PathBuf),
    /// A recording is given with an option that only logs take.
    #[error(
        "{}: {option} is for logs of `vfu proxy`; this is a recording, which its program replays and \
         compares as a whole",
        recording.display()
    )]
    OptionOfLogs { recording: PathBuf, option: &'static str },
    /// A recording has no difference that a smaller one could show.
    #[error("{}: the program replays it without a difference", .0.display())]
    NoDifference(PathBuf),
    /// A program does not replay a recording.
    #[error("{}: {problem}", program.display())]
    Replayer { program: PathBuf, problem: String },
    /// Output cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A device does not serve a request.
    #[error("{}", socket.display())]
    Device { socket: PathBuf, source: vfio_user::Error },
    /// A server that accepts no client.
    #[error("{}: {reason}", socket.display())]
    Unreachable { socket: PathBuf, reason: String },
    /// A register is named, and no description has it.
    #[error("`{0}` is no region with an offset; for names of registers, give --describe")]
    Unnamed(String),
    /// A value does not fit a register.
    #[error("{value:#x} does not fit {width} bytes")]
    TooWide { value: u64, width: usize },
    /// An interrupt that was triggered has not arrived.
    #[error("{}: the interrupt was triggered and has not arrived within {within:?}", socket.display())]
    NoInterrupt { socket: PathBuf, within: Duration },
    /// A register did not have a value in time.
    #[error("the value {value:#x} was not read within {within:?}")]
    NotRead { value: u64, within: Duration },
    /// Memory of a size that cannot be mapped.
    #[error(
        "{size} bytes of memory; whole pages of 4096 bytes, from {least} to {most} bytes, are accepted"
    )]
    MemorySize { size: u64, least: u64, most: u64 },
    /// A manual page of a command that does not exist.
    #[error("`{0}` is no command of vfu; `vfu --help` lists them")]
    NoCommand(String),
    /// A monitor does not answer as expected.
    #[error("{}", path.display())]
    Monitor { path: PathBuf, source: ClientError },
    /// The live view has no terminal.
    #[error("standard input and output have to be a terminal; `vfu inspect` prints once")]
    NoTerminal,
    /// A device refuses a step of a migration.
    #[error("{}", socket.display())]
    Refused { socket: PathBuf, source: MigrationErrorKind },
    /// A device cannot migrate.
    #[error("{}: the device does not migrate", .0.display())]
    NotMigratable(PathBuf),
    /// A signal ended a migration.
    #[error("interrupted")]
    Interrupted,
    /// A migration took too long.
    #[error("the state was not copied within {0:?}")]
    TooLong(Duration),
    /// A migration failed, and whether the source runs.
    #[error("{}\n{outcome}", error.whole())]
    Migration { error: Box<Error>, outcome: String },
    /// A migration failed, and it is unknown whether the destination runs.
    #[error("{}\n{outcome}", error.whole())]
    Unknown { error: Box<Error>, outcome: String },
}

/// The exit code of a command that found something other than expected.
const DIFFERENT: u8 = 1;
/// The exit code of a failure.
const FAILED: u8 = 2;
/// The exit code of a migration whose outcome is unknown.
const UNKNOWN: u8 = 3;

impl Error {
    pub(crate) fn device(socket: &Path) -> impl FnOnce(vfio_user::Error) -> Error + use<> {
        let socket = socket.to_owned();
        move |source| Error::Device { socket, source }
    }

    /// Returns the exit code of the program.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Error::NotRead { .. } => DIFFERENT,
            Error::Unknown { .. } => UNKNOWN,
            _ => FAILED,
        }
    }

    /// Returns the message with those of all its sources.
    pub(crate) fn whole(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&printable(&error.to_string()));
            source = error.source();
        }
        text
    }
}

/// Removes control characters from a text: it may come from a server or a file, and goes to a
/// terminal.
pub(crate) fn printable(text: &str) -> String {
    let escaped = |letter: char| {
        let is_plain = letter == '\'' || letter == '"' || letter == '\\';
        if is_plain { letter.to_string() } else { letter.escape_debug().to_string() }
    };
    text.chars().map(escaped).collect()
}
