//! The steps of a migration, as a VMM takes them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vfio_user::Client;
use vfio_user::protocol::{MigrationFlags, MigrationState};

use super::progress::Progress;
use crate::error::Error;

/// As much is moved at a time, in bytes; a message may carry less.
const PIECE: usize = 1 << 20;

/// One of the two devices.
#[derive(Debug)]
pub(super) struct End {
    socket: PathBuf,
    client: Client,
    flags: MigrationFlags,
}

impl End {
    /// Attaches to a device that migrates.
    pub(super) fn attach(socket: &Path) -> Result<Self, Error> {
        let client = Client::attach(socket).map_err(Error::device(socket))?;
        let flags = client.migration_flags().map_err(Error::device(socket))?;
        if !flags.contains(MigrationFlags::STOP_COPY) {
            return Err(Error::NotMigratable(socket.to_owned()));
        }
        Ok(End { socket: socket.to_owned(), client, flags })
    }

    fn go(&self, state: MigrationState) -> Result<(), Error> {
        self.done(self.client.set_migration_state(state))
    }

    fn done<T>(&self, result: vfio_user::Result<T>) -> Result<T, Error> {
        result.map_err(Error::device(&self.socket))
    }
}

/// A migration on its way.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) source: End,
    pub(super) destination: End,
    pub(super) progress: Progress,
    /// How many were sent while the source ran.
    pub(super) rounds: u32,
}

/// What was moved.
#[derive(Debug)]
pub(super) struct Moved {
    rounds: u32,
    bytes: u64,
    downtime: Duration,
    is_running: bool,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moved { rounds, bytes, downtime, is_running } = self;
        let rounds_are = if *rounds == 1 { "round" } else { "rounds" };
        let (end, time) = if *is_running { ("running", "down") } else { ("stopped", "stopped") };
        write!(
            f,
            "moved {bytes} bytes, {rounds} {rounds_are} while it ran; {time} for {downtime:.1?}; the \
             destination is {end}"
        )
    }
}

impl Migration {
    /// Moves all of it, in so many rounds at most, until one has few bytes enough.
    pub(super) fn run(&mut self, rounds: u32, enough: u64, run: bool) -> Result<Moved, Error> {
        self.destination.go(MigrationState::Resuming)?;
        let mut bytes = 0;
        if rounds > 0 && self.source.flags.contains(MigrationFlags::PRE_COPY) {
            self.source.go(MigrationState::PreCopy)?;
            let mut least = u64::MAX;
            while self.rounds < rounds {
                let size = self.size()?;
                self.rounds += 1;
                let sent = self.copy(format!("round {}", self.rounds), size)?;
                bytes += sent;
                // A guest that writes faster than this moves would never let it end.
                if sent <= enough || sent >= least {
                    break;
                }
                least = sent;
            }
        }
        let begin = Instant::now();
        self.source.go(MigrationState::StopCopy)?;
        let size = self.size()?;
        bytes += self.copy("stopped".to_owned(), size)?;
        self.destination.go(MigrationState::Stop)?;
        if run {
            self.destination.go(MigrationState::Running)?;
        }
        let downtime = begin.elapsed();
        // It has gone: nothing can fail any more.
        let _ = self.source.go(MigrationState::Stop);
        Ok(Moved { rounds: self.rounds, bytes, downtime, is_running: run })
    }

    /// How much there probably is to be moved, in bytes. Not every device knows.
    fn size(&self) -> Result<u64, Error> {
        match self.source.client.migration_data_size() {
            Err(vfio_user::Error::Refused { .. }) => Ok(0),
            size => self.source.done(size),
        }
    }

    /// Moves what there is now.
    fn copy(&self, what: String, size: u64) -> Result<u64, Error> {
        self.progress.begin(what, size);
        let (mut data, mut bytes) = (vec![0; PIECE], 0);
        loop {
            let read = self.source.done(self.source.client.read_migration_data(&mut data))?;
            if read == 0 {
                return Ok(bytes);
            }
            let written = self.destination.client.write_migration_data(&data[..read]);
            self.destination.done(written)?;
            bytes += read as u64;
            self.progress.moved(read as u64);
        }
    }

    /// Lets the source run on, and makes sure that it does. The destination drops what it has got when
    /// its client leaves.
    pub(super) fn give_up(&self, error: Error) -> Error {
        let running = self.source.go(MigrationState::Running);
        let state = running.and_then(|()| self.source.done(self.source.client.migration_state()));
        let outcome = match state {
            Ok(MigrationState::Running) => "the source runs on".to_owned(),
            Ok(state) => format!("the source does not run on: it is in {state:?}"),
            Err(error) => format!("the source does not run on: {error}"),
        };
        Error::Migration { error: Box::new(error), outcome }
    }
}
