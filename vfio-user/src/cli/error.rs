//! Options that do not fit the devices of a program.

use std::path::PathBuf;

use crate::error::Error;

/// Why the options of a device program cannot be used; [`Error::Tool`] has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// An option names none of several types of device.
    #[error("an option names no device; the devices are {}", list(.names))]
    NoDevice {
        /// The types of the program.
        names: Vec<&'static str>,
    },
    /// An option names a type of device that the program does not have.
    #[error("there is no device `{name}`; the devices are {}", list(.names))]
    UnknownDevice {
        /// The name as it was given.
        name: Box<str>,
        /// The types of the program.
        names: Vec<&'static str>,
    },
    /// The service manager has passed no socket, or has passed it to another process.
    #[error("no socket was passed to this process; LISTEN_PID and LISTEN_FDS say which are")]
    NotActivated,
    /// The kernel cannot confine the process as `--sandbox` says.
    #[error("the program cannot be confined: {reason}; run it without --sandbox")]
    Sandbox {
        /// What the kernel lacks.
        reason: String,
    },
    /// The number of state files is not that of the sockets.
    #[error("{files} state files for {sockets} sockets; each socket has one, in the same order")]
    StateFiles {
        /// The number of files.
        files: usize,
        /// The number of sockets.
        sockets: usize,
    },
    /// The number of monitors is not that of the sockets.
    #[error("{monitors} monitors for {sockets} sockets; each socket has one, in the same order")]
    Monitors {
        /// The number of monitors.
        monitors: usize,
        /// The number of sockets.
        sockets: usize,
    },
    /// The number of recordings is not that of the sockets.
    #[error("{files} recordings for {sockets} sockets; each socket has one, in the same order")]
    Recordings {
        /// The number of files.
        files: usize,
        /// The number of sockets.
        sockets: usize,
    },
    /// Two devices have the same recording.
    #[error("recording {} is given twice", .path.display())]
    SameRecording {
        /// Its path.
        path: PathBuf,
    },
    /// Two devices have the same state file.
    #[error("state file {} is given twice", .path.display())]
    SameStateFile {
        /// Its path.
        path: PathBuf,
    },
}

impl From<OptionsError> for Error {
    fn from(error: OptionsError) -> Self {
        Error::Tool(Box::new(error))
    }
}

fn list(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
