//! Migration of a device from one server to another, as a VMM does it.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Client;
use crate::error::{Error, Result};
use crate::protocol::{Errno, MigrationFlags, MigrationState};

/// The number of bytes to read from the source at a time; a message may carry fewer.
const PIECE: usize = 1 << 20;

/// A migration of a device from one server to another.
///
/// While the source runs, its state is copied in rounds; then the source stops, the rest is copied,
/// and the destination runs. At most one of the two devices runs with the state, whatever fails:
/// see [`RunningDevice`].
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use vfio_user::client::{Client, Migration};
///
/// let source = Client::attach("/run/vm/old.sock")?;
/// let destination = Client::attach("/run/vm/new.sock")?;
/// let migration = Migration::new(&source, &destination).rounds(4);
/// match migration.run(|_| ControlFlow::Continue(())) {
///     Ok(moved) => println!("moved {} bytes", moved.bytes),
///     Err(failure) => println!("{failure}: {:?}", failure.running),
/// }
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Debug)]
pub struct Migration<'a> {
    source: &'a Client,
    destination: &'a Client,
    rounds: u32,
    enough: u64,
    runs: bool,
    limit: Duration,
}

/// The progress of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationProgress {
    /// A round starts.
    Round {
        /// The number of the round, from 1; `None` for the last one, while the source is stopped.
        number: Option<u32>,
        /// The source's estimate of the bytes; 0 if it does not support that.
        estimate: u64,
    },
    /// This number of bytes was copied.
    Copied(u64),
}

/// The result of a successful migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The number of rounds that were copied while the source ran.
    pub rounds: u32,
    /// The number of bytes that were copied.
    pub bytes: u64,
    /// Time from the request that stops the source to the end.
    pub downtime: Duration,
    /// Whether the destination runs.
    pub is_running: bool,
}

/// One of the two devices of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationSide {
    /// The device whose state is read.
    Source,
    /// The device whose state is written.
    Destination,
}

/// A step of a migration, as one of the devices does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationStep {
    /// The destination prepares to receive a state.
    Prepare,
    /// The source reports how it migrates, or starts to send its state while it runs.
    PreCopy,
    /// The source stops.
    Stop,
    /// The source sends a part of its state.
    Send,
    /// The destination receives a part of the state.
    Receive,
    /// The destination loads the state that it has received.
    Load,
    /// The destination runs.
    Run,
}

/// Completes "the device refused to".
impl fmt::Display for MigrationStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MigrationStep::Prepare => "prepare for a state",
            MigrationStep::PreCopy => "send its state while it runs",
            MigrationStep::Stop => "stop",
            MigrationStep::Send => "send its state",
            MigrationStep::Receive => "receive the state",
            MigrationStep::Load => "load the state",
            MigrationStep::Run => "run",
        })
    }
}

impl fmt::Display for MigrationSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MigrationSide::Source => "source",
            MigrationSide::Destination => "destination",
        })
    }
}

/// The reason why a migration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationErrorKind {
    /// The device refused a step. The protocol carries no more than an error number; what the
    /// device does not accept is in the log of its program.
    #[error("the {} refused to {step}: {errno}; the log of its program gives the reason", .step.side())]
    Refused {
        /// The step.
        step: MigrationStep,
        /// The error number of the answer.
        errno: Errno,
    },
    /// A request to one of the devices failed otherwise.
    #[error(transparent)]
    Device(#[from] Error),
    /// The caller cancelled the migration.
    #[error("the migration was cancelled")]
    Cancelled,
    /// The migration exceeded its time limit: the state of the source does not end, or a device
    /// answers slowly.
    #[error("the migration took longer than {0:?}")]
    TooLong(Duration),
}

/// A migration that failed.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct MigrationError {
    /// The device whose request failed.
    pub side: MigrationSide,
    /// What failed.
    pub reason: MigrationErrorKind,
    /// Which of the devices runs now.
    pub running: RunningDevice,
}

/// Which device runs after a migration that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunningDevice {
    /// The source runs as before. The destination does not run with the state.
    Source,
    /// Neither device runs: the source did not confirm that it resumes.
    Neither(Box<NotResumed>),
    /// The destination may run: it was requested to run and has not answered with a reply that
    /// excludes it. The source stays stopped and holds the whole state; it must only run again if
    /// the destination does not.
    Unknown,
}

/// The reason why the source does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotResumed {
    /// The source did not accept the request to run.
    #[error(transparent)]
    Error(#[from] Error),
    /// The source accepted the request and is in another state.
    #[error("it is in {0:?}")]
    State(MigrationState),
}

impl From<MigrationError> for Error {
    fn from(failure: MigrationError) -> Self {
        Error::Tool(Box::new(failure))
    }
}

/// The failure and its side.
struct Broken(MigrationSide, MigrationErrorKind);

type Stepped<T> = Result<T, Broken>;

impl<'a> Migration<'a> {
    /// Creates a migration of at most 16 rounds, until a round has at most 1 MiB, and of at most an
    /// hour.
    pub fn new(source: &'a Client, destination: &'a Client) -> Self {
        let limit = Duration::from_secs(3600);
        Migration { source, destination, rounds: 16, enough: 1 << 20, runs: true, limit }
    }

    /// Limits the rounds that are copied while the source runs; 0 stops it at once.
    #[must_use]
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Stops the source after a round of at most this number of bytes.
    #[must_use]
    pub fn enough(mut self, bytes: u64) -> Self {
        self.enough = bytes;
        self
    }

    /// Fails if the state is not copied within this time, because a server can generate state
    /// without end. The last request may exceed it by the client's timeout.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves the destination loaded and stopped at the end.
    #[must_use]
    pub fn leave_stopped(mut self) -> Self {
        self.runs = false;
        self
    }

    /// Runs the migration. It calls `observe` between requests, which cancels the migration with
    /// [`ControlFlow::Break`]; the source then continues to run.
    ///
    /// # Errors
    ///
    /// The failure, and which device runs now. A destination that has received a part of the state
    /// drops it when its client disconnects or resets it.
    pub fn run(
        self,
        mut observe: impl FnMut(MigrationProgress) -> ControlFlow<()>,
    ) -> Result<MigrationReport, MigrationError> {
        let start = Instant::now();
        let copied = self.copy_all(&mut |progress| match observe(progress) {
            ControlFlow::Break(()) => {
                Err(Broken(MigrationSide::Source, MigrationErrorKind::Cancelled))
            }
            ControlFlow::Continue(()) if start.elapsed() >= self.limit => {
                Err(Broken(MigrationSide::Source, MigrationErrorKind::TooLong(self.limit)))
            }
            ControlFlow::Continue(()) => Ok(()),
        });
        let (rounds, bytes, began) = copied.map_err(|broken| self.resume(broken))?;
        if let Err(Broken(side, reason)) = at(MigrationStep::Load, self.load()) {
            let failure = self.resume(Broken(side, reason));
            self.discard_loaded(&failure);
            return Err(failure);
        }
        if self.runs {
            self.hand_over()?;
        }
        let downtime = began.elapsed();
        // The destination has the state: the source is not needed any more.
        let _ = self.source.set_migration_state(MigrationState::Stop);
        Ok(MigrationReport { rounds, bytes, downtime, is_running: self.runs })
    }

    /// Copies everything, the last round from the stopped source.
    fn copy_all(
        &self,
        observe: &mut impl FnMut(MigrationProgress) -> Stepped<()>,
    ) -> Stepped<(u32, u64, Instant)> {
        let resuming = self.destination.set_migration_state(MigrationState::Resuming);
        at(MigrationStep::Prepare, resuming)?;
        let (rounds, bytes) = self.copy_running(observe)?;
        let began = Instant::now();
        at(MigrationStep::Stop, self.source.set_migration_state(MigrationState::StopCopy))?;
        let last = self.copy_round(None, observe)?;
        Ok((rounds, bytes.saturating_add(last), began))
    }

    /// Copies rounds while the source runs. Returns the number of rounds and of bytes.
    fn copy_running(
        &self,
        observe: &mut impl FnMut(MigrationProgress) -> Stepped<()>,
    ) -> Stepped<(u32, u64)> {
        let flags = at(MigrationStep::PreCopy, self.source.migration_flags())?;
        if self.rounds == 0 || !flags.contains(MigrationFlags::PRE_COPY) {
            return Ok((0, 0));
        }
        at(MigrationStep::PreCopy, self.source.set_migration_state(MigrationState::PreCopy))?;
        let (mut bytes, mut least) = (0_u64, u64::MAX);
        for number in 1..=self.rounds {
            let copied = self.copy_round(Some(number), observe)?;
            bytes = bytes.saturating_add(copied);
            // A guest that writes faster than this copies would prevent the end.
            if copied <= self.enough || copied >= least {
                return Ok((number, bytes));
            }
            least = copied;
        }
        Ok((self.rounds, bytes))
    }

    /// Copies the data that the source has now. Returns the number of bytes.
    fn copy_round(
        &self,
        number: Option<u32>,
        observe: &mut impl FnMut(MigrationProgress) -> Stepped<()>,
    ) -> Stepped<u64> {
        let estimate = match self.source.migration_data_size() {
            Err(Error::Refused { .. }) => 0,
            size => at(MigrationStep::Send, size)?,
        };
        observe(MigrationProgress::Round { number, estimate })?;
        let (mut piece, mut copied) = (vec![0; PIECE], 0_u64);
        loop {
            let read = at(MigrationStep::Send, self.source.read_migration_data(&mut piece))?;
            if read == 0 {
                return Ok(copied);
            }
            let written = self.destination.write_migration_data(&piece[..read]);
            at(MigrationStep::Receive, written)?;
            copied = copied.saturating_add(read as u64);
            observe(MigrationProgress::Copied(read as u64))?;
        }
    }

    /// Makes the destination load the state that it has received.
    fn load(&self) -> Result<()> {
        self.destination.set_migration_state(MigrationState::Stop)
    }

    /// Makes the destination run. Once the request is sent it may run, unless it answers that it
    /// does not.
    fn hand_over(&self) -> Result<(), MigrationError> {
        let Err(error) = self.destination.set_migration_state(MigrationState::Running) else {
            return Ok(());
        };
        let (side, reason) = (MigrationSide::Destination, MigrationStep::Run.reason(error));
        if matches!(reason, MigrationErrorKind::Refused { .. }) && self.is_destination_held() {
            let failure = self.resume(Broken(side, reason));
            self.discard_loaded(&failure);
            return Err(failure);
        }
        Err(MigrationError { side, reason, running: RunningDevice::Unknown })
    }

    /// Returns whether the destination confirms that it does not run.
    fn is_destination_held(&self) -> bool {
        let state = self.destination.migration_state();
        state.is_ok_and(|state| !state.is_running())
    }

    /// Makes the source run again, and checks that it does.
    fn resume(&self, Broken(side, reason): Broken) -> MigrationError {
        let running = self.source.set_migration_state(MigrationState::Running);
        let running = match running.and_then(|()| self.source.migration_state()) {
            Ok(MigrationState::Running) => RunningDevice::Source,
            Ok(state) => RunningDevice::Neither(NotResumed::State(state).into()),
            Err(error) => RunningDevice::Neither(NotResumed::Error(error).into()),
        };
        MigrationError { side, reason, running }
    }

    /// Resets a destination that may have loaded the state, so that it does not run with it later
    /// for another client. While the source does not run, the destination may hold the only copy.
    fn discard_loaded(&self, failure: &MigrationError) {
        if matches!(failure.running, RunningDevice::Source)
            && let Err(error) = self.destination.reset()
        {
            tracing::warn!(%error, "the destination of a failed migration cannot be reset");
        }
    }
}

fn at<T>(step: MigrationStep, result: Result<T>) -> Stepped<T> {
    result.map_err(|error| Broken(step.side(), step.reason(error)))
}

impl MigrationStep {
    /// Returns the device that does it.
    fn side(self) -> MigrationSide {
        match self {
            MigrationStep::PreCopy | MigrationStep::Stop | MigrationStep::Send => {
                MigrationSide::Source
            }
            MigrationStep::Prepare
            | MigrationStep::Receive
            | MigrationStep::Load
            | MigrationStep::Run => MigrationSide::Destination,
        }
    }

    fn reason(self, error: Error) -> MigrationErrorKind {
        match error {
            Error::Refused { errno, .. } => MigrationErrorKind::Refused { step: self, errno },
            error => MigrationErrorKind::Device(error),
        }
    }
}
