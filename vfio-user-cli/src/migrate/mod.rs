//! `vfu migrate`: the state of a device, moved to another one.

mod progress;
mod steps;

use std::path::PathBuf;

use clap::Args;

use crate::error::Error;
use progress::Progress;
use steps::{End, Migration};

/// Move the state of a device to another one, which goes on with it
///
/// While the device runs, what its guest maps is sent round by round, as long as that helps; then it
/// stops, and the rest follows. If anything fails, the source runs on as it was.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The socket of the device that runs
    source: PathBuf,
    /// The socket of the device that takes over
    destination: PathBuf,
    /// Send at most so many rounds while the source runs; 0 stops it at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    rounds: u32,
    /// Stop the source when a round has no more bytes than this
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    enough: u64,
    /// Leave the destination stopped
    #[arg(long)]
    stopped: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let source = End::attach(&self.source)?;
        let destination = End::attach(&self.destination)?;
        let mut migration =
            Migration { source, destination, progress: Progress::start(), rounds: 0 };
        let moved = migration.run(self.rounds, self.enough, !self.stopped);
        migration.progress.finish();
        let moved = moved.map_err(|error| migration.give_up(error))?;
        println!("{moved}");
        Ok(())
    }
}
