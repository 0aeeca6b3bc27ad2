//! `vfu migrate`, `vfu save` and `vfu load`: move the state of a device.

mod file;
mod outcome;
mod progress;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};
use vfio_user::client::{Client, Migration, MigrationReport, MigrationSide};
use vfio_user::protocol::MigrationFlags;

use crate::error::Error;
use crate::interrupted::Interrupted;
use crate::print::print;
pub(crate) use file::{Load, Save};
use progress::Bar;

/// Move the state of a running device to another device
///
/// Copies the state in rounds while the source runs, then stops the source, copies the rest, and
/// makes the destination run.
///
/// If the migration is interrupted (SIGINT, SIGTERM), or fails before the destination is requested
/// to run, the source runs again (exit code 2). If the destination is requested to run and does not
/// answer, it may or may not run: the source stays stopped, so that the device never runs twice
/// (exit code 3). Then check the destination. If its device runs, end the source. If its program
/// has exited without running the device, attach a client to the source: the source runs again.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Socket of the device to move
    source: PathBuf,
    /// Socket of the device that takes over
    destination: PathBuf,
    /// Copy at most N rounds while the source runs; 0 stops the source at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    rounds: u32,
    /// Stop the source after a round of at most this many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    enough: u64,
    /// Fail if copying the state takes longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    time_limit: u64,
    /// Leave the destination stopped, with the state loaded
    #[arg(long)]
    stopped: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let interrupted = Interrupted::watch().map_err(Error::Output)?;
        let source = attach(&self.source)?;
        let destination = attach(&self.destination)?;
        let mut migration =
            Migration::new(&source, &destination).rounds(self.rounds).enough(self.enough);
        migration = migration.time_limit(Duration::from_secs(self.time_limit));
        if self.stopped {
            migration = migration.leave_stopped();
        }
        let bar = Bar::start();
        let moved = migration.run(|progress| {
            bar.show(progress);
            if interrupted.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.finish();
        let moved = moved.map_err(|failure| outcome::of(failure, |side| self.socket(side)))?;
        print(self.json, &Summary::of(&moved))
    }

    fn socket(&self, side: MigrationSide) -> &Path {
        match side {
            MigrationSide::Source => &self.source,
            MigrationSide::Destination => &self.destination,
        }
    }
}

/// Attaches to a device and checks that it migrates.
fn attach(socket: &Path) -> Result<Client, Error> {
    let client = Client::attach(socket).map_err(Error::device(socket))?;
    let flags = client.migration_flags().map_err(Error::device(socket))?;
    if flags.contains(MigrationFlags::STOP_COPY) {
        Ok(client)
    } else {
        Err(Error::NotMigratable(socket.to_owned()))
    }
}

/// What a successful migration reports.
#[derive(Serialize)]
struct Summary {
    bytes: u64,
    /// Rounds while the source ran.
    rounds: u32,
    #[serde(rename = "downtime_seconds", serialize_with = "as_seconds")]
    downtime: Duration,
    /// Whether the destination runs.
    is_running: bool,
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Summary {
    fn of(report: &MigrationReport) -> Self {
        let MigrationReport { rounds, bytes, downtime, is_running, .. } = *report;
        Summary { bytes, rounds, downtime, is_running }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { rounds, bytes, downtime, is_running } = self;
        let rounds_are = if *rounds == 1 { "round" } else { "rounds" };
        let (end, time) = if *is_running { ("running", "down") } else { ("stopped", "stopped") };
        writeln!(
            f,
            "moved {bytes} bytes, {rounds} {rounds_are} while it ran; {time} for {downtime:.1?}; the \
             destination is {end}"
        )
    }
}
