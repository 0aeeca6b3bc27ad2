//! `vfu bench`: what requests cost a client, beside a bare echo of the same bytes.

mod floor;
mod latencies;
mod measure;
mod report;

use std::time::Duration;

use clap::Args;

use super::Target;
use crate::error::Error;
use crate::seconds::seconds;
use measure::measure;

/// Measure what requests to a device cost, beside a bare echo of the same bytes
///
/// Only what every PCI function has is accessed: the vendor id is read, the interrupt line register
/// is written with its own value, a page of memory is mapped and unmapped, and the server triggers
/// an interrupt itself. Bulk reads are of memory that a guest maps, or of the configuration space.
/// What the server lacks is reported and not measured.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Seconds of each measurement
    #[arg(long, value_name = "N", default_value = "1", value_parser = seconds)]
    seconds: Duration,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let client = self.target.attach()?;
        let report = measure(&client, self.seconds).map_err(self.target.failed())?;
        self.target.print(&report)
    }
}
