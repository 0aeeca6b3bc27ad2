//! The figures of a server, printed as text and as JSON.

use std::fmt::{self, Display, Formatter};
use std::io;

use serde::Serialize;
use vfio_user::{Error, Result};

use super::latencies::{Latencies, Summary};

#[derive(Default, Serialize)]
pub(super) struct Report {
    latencies: Vec<Named<Latency>>,
    rates: Vec<Named<Rate>>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Named<T> {
    name: &'static str,
    #[serde(flatten)]
    figures: T,
}

/// The latencies of a request, in nanoseconds.
#[derive(Serialize)]
pub(super) struct Latency {
    #[serde(flatten)]
    pub(super) summary: Summary,
    /// The median of an echo of the same bytes.
    pub(super) floor: u32,
    pub(super) histogram: Latencies,
}

/// How much is done in a second.
#[derive(Serialize)]
pub(super) struct Rate {
    /// The data of a message, in bytes.
    pub(super) bytes: u32,
    pub(super) unit: Unit,
    pub(super) value: f64,
    /// The rate of an echo of the same bytes.
    pub(super) floor: f64,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    Messages,
    Bytes,
}

/// What is not measured.
#[derive(Serialize)]
struct Skipped {
    name: &'static str,
    reason: String,
}

/// Why something is not measured.
pub(super) enum Stop {
    /// The server lacks it.
    Lacks(String),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { .. } | Error::Argument(_) => Stop::Lacks(error.to_string()),
            error => Stop::Failed(error),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Failed(error.into())
    }
}

impl Report {
    pub(super) fn latency(&mut self, name: &'static str, it: Result<Latency, Stop>) -> Result<()> {
        let found = self.take(name, it)?;
        self.latencies.extend(found);
        Ok(())
    }

    pub(super) fn rate(&mut self, name: &'static str, it: Result<Rate, Stop>) -> Result<()> {
        let found = self.take(name, it)?;
        self.rates.extend(found);
        Ok(())
    }

    /// Returns the figures, or notes why there are none.
    fn take<T>(&mut self, name: &'static str, it: Result<T, Stop>) -> Result<Option<Named<T>>> {
        match it {
            Ok(figures) => return Ok(Some(Named { name, figures })),
            Err(Stop::Lacks(reason)) => self.skipped.push(Skipped { name, reason }),
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(None)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:20} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>6}",
            "ns", "count", "p50", "p90", "p99", "p99.9", "max", "floor", "ratio"
        )?;
        self.latencies.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        writeln!(
            f,
            "\n{:20} {:>9} {:>16} {:>16} {:>6}",
            "a second", "bytes", "rate", "floor", "ratio"
        )?;
        self.rates.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        for Skipped { name, reason } in &self.skipped {
            writeln!(f, "\n{name} was not measured: {}", crate::error::printable(reason))?;
        }
        if let Some(Named { name, figures }) = self.latencies.first() {
            write!(f, "\n{name}:\n{}", figures.histogram)?;
        }
        Ok(())
    }
}

impl Display for Named<Latency> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Named { name, figures: Latency { summary, floor, .. } } = self;
        let Summary { count, p50, p90, p99, p99_9, max } = summary;
        let ratio = f64::from(*p50) / f64::from((*floor).max(1));
        write!(
            f,
            "{name:20} {count:>9} {p50:>8} {p90:>8} {p99:>8} {p99_9:>8} {max:>9} {floor:>8} \
             {ratio:>6.2}"
        )
    }
}

/// The ratio is that of the times, as in the rows of latencies.
impl Display for Named<Rate> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Named { name, figures: Rate { bytes, unit, value, floor } } = self;
        let text = |number: f64| match unit {
            Unit::Messages => format!("{number:.0}"),
            Unit::Bytes => format!("{:.1} MB", number / 1e6),
        };
        let ratio = floor / value.max(1.0);
        write!(f, "{name:20} {bytes:>9} {:>16} {:>16} {ratio:>6.2}", text(*value), text(*floor))
    }
}
