//! What is printed.

use std::path::Path;

use serde::Serialize;
use vfio_user::{Error, Result};
use vfio_user_benches::report::{self, Row as Bar};
use vfio_user_tests::nvme::{Direction, Report};

/// The figures of a measurement.
#[derive(Serialize)]
pub(crate) struct Figures {
    direction: &'static str,
    depth: u16,
    /// Commands a second.
    iops: f64,
    /// Percentiles of the latency, in nanoseconds.
    p50: u64,
    p99: u64,
    p99_9: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    floor: Option<&'a Figures>,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "to look at")]
    pub(crate) fn new(direction: Direction, depth: u16, report: &Report) -> Self {
        let direction = match direction {
            Direction::Read => "read",
            Direction::Write => "write",
        };
        let iops = report.count as f64 / report.time.as_secs_f64();
        let [p50, p99, p99_9] = [50.0, 99.0, 99.9].map(|share| report.latency.percentile(share));
        Figures { direction, depth, iops, p50, p99, p99_9 }
    }
}

/// Prints figures, with their floors if there are any.
///
/// # Errors
///
/// Never: the figures are numbers.
pub(crate) fn print(figures: &[Figures], floor: &[Figures]) -> Result<()> {
    println!(
        "{:5} {:>5} {:>10} {:>10} {:>6} {:>9} {:>9} {:>9}",
        "4 KiB", "depth", "IOPS", "floor", "ratio", "p50 ns", "p99 ns", "p99.9 ns"
    );
    for (place, row) in figures.iter().enumerate() {
        let Figures { direction, depth, iops, p50, p99, p99_9 } = row;
        let (floor, ratio) = floor.get(place).map_or((0.0, 0.0), |f| (f.iops, iops / f.iops));
        println!(
            "{direction:5} {depth:>5} {iops:>10.0} {floor:>10.0} {ratio:>6.2} {p50:>9} {p99:>9} {p99_9:>9}"
        );
    }
    let rows = figures.iter().enumerate();
    let rows: Vec<_> =
        rows.map(|(place, figures)| Row { figures, floor: floor.get(place) }).collect();
    println!("{}", serde_json::to_string(&rows).map_err(|error| Error::device(error.to_string()))?);
    Ok(())
}

/// Draws the time of a command beside that of its floor.
///
/// # Errors
///
/// The files cannot be written.
pub(crate) fn draw(figures: &[Figures], floor: &[Figures]) -> Result<()> {
    let mut report = report::Report::new("nvme", "ns a command");
    for (row, floor) in figures.iter().zip(floor) {
        let name = format!("{} 4 KiB, depth {}", row.direction, row.depth);
        report.push(Bar::new(name, &[[1e9 / row.iops, 1e9 / floor.iops]]));
    }
    Ok(report.publish(Path::new(env!("CARGO_TARGET_TMPDIR")))?)
}
