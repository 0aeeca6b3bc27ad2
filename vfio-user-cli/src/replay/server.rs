//! The server that a log is played against: one that runs, or a program.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::Error;
use crate::program::{self, STEP};

/// The time for a program to create its socket, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server. Dropping this ends the program, if it is one.
#[derive(Debug)]
pub(super) struct Server {
    path: PathBuf,
    program: Option<Program>,
}

#[derive(Debug)]
struct Program {
    child: Child,
    /// Holds the socket.
    _folder: TempDir,
}

impl Server {
    pub(super) fn at(path: &Path) -> Self {
        Server { path: path.to_owned(), program: None }
    }

    /// Starts a program, and waits until it listens.
    pub(super) fn start(words: &[OsString]) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("device.sock");
        let name = words.first().map(PathBuf::from).unwrap_or_default();
        let started = program::command(words, &path).stderr(Stdio::inherit()).spawn();
        let child = started.map_err(|source| Error::File { path: name, source })?;
        let mut server = Server { path, program: Some(Program { child, _folder: folder }) };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<(), Error> {
        let Some(program) = &mut self.program else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE;
        while !self.path.exists() {
            let reason = match program.child.try_wait()? {
                Some(status) => format!("the program ends: {status}"),
                None if Instant::now() > deadline => "the program does not create it".into(),
                None => {
                    thread::sleep(STEP);
                    continue;
                }
            };
            return Err(Error::Unreachable { socket: self.path.clone(), reason });
        }
        Ok(())
    }

    pub(super) fn connect(&self) -> Result<UnixStream, Error> {
        UnixStream::connect(&self.path).map_err(|source| self.failed(source))
    }

    /// Returns the error of a connection that fails.
    pub(super) fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        program::end(&mut self.child, PATIENCE);
    }
}
