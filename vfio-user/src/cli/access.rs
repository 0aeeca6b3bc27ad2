//! The options for who may connect, and who listens.

use std::num::ParseIntError;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::Result;
use crate::server::{Socket, TakeOver};

// Help texts are comments; clap would print one here as that of a whole program.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Access {
    /// Give the files of sockets these permissions, in octal, whatever the umask is: 0660 for the
    /// group
    #[arg(long, value_name = "MODE", value_parser = parse_mode, requires = "socket_path")]
    socket_mode: Option<u32>,

    /// Close connections of other users than these
    #[arg(long, value_name = "UID", value_delimiter = ',', conflicts_with = "describe")]
    allow_uid: Vec<u32>,

    /// Serve the sockets that systemd passes to the service (`LISTEN_FDS`). In a program with
    /// several types of device, `FileDescriptorName` of a socket names the type
    #[arg(long, conflicts_with_all = ["socket_path", "fd", "describe"])]
    activated: bool,

    /// Take the devices of the running program that has this socket over, with their clients, and
    /// serve them in its place. If there is no such program, create the socket, for the next one
    #[arg(long, value_name = "SOCKET", requires = "socket_path")]
    #[arg(conflicts_with_all = ["record", "describe", "replay"])]
    take_over: Option<PathBuf>,
}

impl Access {
    /// Returns whether the program serves the sockets that systemd passes.
    pub(super) fn is_activated(&self) -> bool {
        self.activated
    }

    /// Returns the program to take over from, or where this one waits for its successor.
    ///
    /// # Errors
    ///
    /// Those of [`TakeOver::at`].
    pub(super) fn take_over(&self) -> Result<Option<TakeOver>> {
        self.take_over.as_ref().map(TakeOver::at).transpose()
    }

    /// Listens on a path, with the permissions of the options, or takes the socket of another
    /// program.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`].
    pub(super) fn bind(&self, path: &Path, take_over: Option<&TakeOver>) -> Result<Socket> {
        match (take_over, self.socket_mode) {
            (Some(other), Some(mode)) => other.bind_with_mode(path, mode),
            (Some(other), None) => other.bind(path),
            (None, Some(mode)) => Socket::bind_with_mode(path, mode),
            (None, None) => Socket::bind(path),
        }
    }

    /// Sets whose connections a socket accepts.
    pub(super) fn restrict(&self, socket: Socket) -> Socket {
        if self.allow_uid.is_empty() { socket } else { socket.allow_uids(self.allow_uid.clone()) }
    }
}

/// Parses permissions in octal.
fn parse_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).map_err(|error: ParseIntError| error.to_string())?;
    if mode <= 0o777 { Ok(mode) } else { Err("accepted are 0 to 0777".to_owned()) }
}
