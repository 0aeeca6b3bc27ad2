//! The server that is checked: one that runs, or a program that is started for each check.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::check::{Stop, Verdict, fail};
use super::connection::Connection;
use crate::error::Error;
use crate::program::{self, STEP};

/// The time for a program to create its socket.
const START: Duration = Duration::from_secs(10);
/// The exit code of a Rust program that panics.
const PANIC: i32 = 101;

pub(super) struct Server {
    path: PathBuf,
    program: Option<Program>,
    /// A connection that has not been used.
    first: Option<Connection>,
    /// Whether a program serves, or ends for, a client after another one that did nothing wrong.
    serves_again: bool,
    pub(super) patience: Duration,
}

struct Program {
    command: Command,
    running: Option<Child>,
    /// Holds the socket.
    _dir: TempDir,
}

impl Server {
    /// A server that listens at a path.
    pub(super) fn at(path: PathBuf, patience: Duration) -> Self {
        Server { path, program: None, first: None, serves_again: true, patience }
    }

    /// A program with its arguments.
    pub(super) fn program(words: &[OsString], patience: Duration) -> Result<Self, Error> {
        let dir = TempDir::new()?;
        let path = dir.path().join("device.sock");
        let program = Program { command: program::command(words, &path), running: None, _dir: dir };
        Ok(Server { path, program: Some(program), first: None, serves_again: true, patience })
    }

    /// Starts the program, if there is one, and checks that a client can connect.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        if let Some(program) = &mut self.program {
            // What is left of the process before.
            let _ = std::fs::remove_file(&self.path);
            program.running = Some(program.command.spawn()?);
        }
        let deadline = Instant::now() + START;
        loop {
            let source = match Connection::open(&self.path, self.patience) {
                Ok(connection) => {
                    self.first = Some(connection);
                    return Ok(());
                }
                Err(source) => source,
            };
            let has_ended = self.exit_status().map(|status| format!("the program ends: {status}"));
            let is_late = self.program.is_none() || Instant::now() > deadline;
            if has_ended.is_some() || is_late {
                let reason = has_ended.unwrap_or_else(|| source.to_string());
                return Err(Error::Unreachable { socket: self.path.clone(), reason });
            }
            thread::sleep(STEP);
        }
    }

    /// Connects, without a message. A program that has had a client is started again: it may serve
    /// one client only.
    pub(super) fn connect(&mut self) -> Verdict<Connection> {
        if self.first.is_none() && self.program.is_some() {
            self.finish()?;
            self.start().map_err(|error| Stop::Failed(error.whole()))?;
        }
        self.connect_again()
    }

    /// Connects, without a message, to a server that may have had a client.
    pub(super) fn connect_again(&mut self) -> Verdict<Connection> {
        let failed = |error| Stop::Failed(format!("the server accepts no connection: {error}"));
        let first = self.first.take().map(Ok);
        first.unwrap_or_else(|| Connection::open(&self.path, self.patience)).map_err(failed)
    }

    /// Connects and negotiates.
    pub(super) fn attach(&mut self) -> Verdict<Connection> {
        let mut connection = self.connect()?;
        connection.negotiate()?;
        Ok(connection)
    }

    /// Attaches again after a client has left; `None` if the server has ended with it.
    pub(super) fn attach_again(&mut self) -> Verdict<Option<Connection>> {
        let attached = self.connect_again().and_then(|mut connection| {
            connection.negotiate()?;
            Ok(Some(connection))
        });
        let Err(stop) = attached else { return attached };
        match self.wait_for_end() {
            None => Err(stop),
            Some(status) if is_crash(status) => fail(format!("the server crashes: {status}")),
            Some(_) => Ok(None),
        }
    }

    /// Finds out what a program does after a client that only negotiates, and starts it again. One
    /// that neither ends nor serves another client fails `life-next-client`, not every check.
    pub(super) fn learn(&mut self) -> Result<(), Error> {
        if self.program.is_none() {
            return Ok(());
        }
        let attached = self.attach().map(drop);
        self.serves_again = attached.is_err() || self.attach_again().is_ok();
        self.stop();
        self.start()
    }

    /// Ends a check: the server must serve another client, or have ended without a crash.
    pub(super) fn finish(&mut self) -> Verdict {
        let survived = if self.serves_again { self.attach_again().map(drop) } else { self.ran() };
        self.stop();
        survived.map_err(|stop| match stop {
            Stop::Failed(reason) => Stop::Failed(format!("afterwards: {reason}")),
            skipped @ Stop::Skipped(_) => skipped,
        })
    }

    /// Fails if the program has crashed.
    fn ran(&mut self) -> Verdict {
        match self.exit_status() {
            Some(status) if is_crash(status) => fail(format!("the server crashes: {status}")),
            _ => Ok(()),
        }
    }

    fn exit_status(&mut self) -> Option<ExitStatus> {
        self.program.as_mut()?.running.as_mut()?.try_wait().ok().flatten()
    }

    fn wait_for_end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + self.patience;
        self.program.as_ref()?;
        loop {
            let status = self.exit_status();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            thread::sleep(STEP);
        }
    }

    /// Ends the program by SIGTERM, and by SIGKILL if it does not end in time.
    fn stop(&mut self) {
        let Some(mut child) = self.program.as_mut().and_then(|program| program.running.take())
        else {
            return;
        };
        program::end(&mut child, self.patience);
    }

    /// Whether the server is a program, which is started again for the next check.
    pub(super) fn restarts(&self) -> bool {
        self.program.is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_crash(status: ExitStatus) -> bool {
    status.signal().is_some() || status.code() == Some(PANIC)
}
