//! The processor time of a server for the worst message of each kind, beside that of a plain read.
//!
//! ```console
//! $ cargo bench -p vfio-user-benches --bench costs
//! $ cargo bench -p vfio-user-benches --bench costs -- --only resets
//! ```
//!
//! The server runs on the thread of its client, which counts its processor time alone. A read of a
//! register of 4 bytes is measured before each message. What a message costs for each of its bytes,
//! those of the reply included, is compared with what such a read costs for each of its bytes: more
//! than 1 is out of proportion. It prints a table, and writes `target/tmp/costs.json`.

mod bed;
mod cases;
mod device;

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;
use vfio_user::{Error, Result};
use vfio_user_benches::cpu;
use vfio_user_benches::report::Row;

use bed::{Bed, Cost};
use cases::{CASES, Stage, full, plain_read, version};

/// Measures the processor time of the worst message of each kind
#[derive(Parser)]
struct Arguments {
    /// Measures messages alone whose name has this part
    #[arg(long, value_name = "PART", default_value = "")]
    only: String,

    /// Measurements of each message
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,

    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a message costs.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    row: Row,
    /// Of the message and its reply.
    bytes: usize,
    /// The cost of a byte, as a ratio to that of a plain read; none without a message.
    per_byte: Option<f64>,
    /// The longest time for which other sessions wait, in microseconds.
    longest: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    cpu::pin(0)?;
    println!(
        "| message | bytes | CPU time, µs | ratio to a plain read | a byte | longest turn, µs |"
    );
    println!("|---|---|---|---|---|---|");
    let mut all = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&arguments.only)) {
        all.push(arguments.measure(case.name, || {
            let mut stage = Stage::new()?;
            let request = (case.prepare)(&mut stage)?;
            let plain = plain(&mut stage.bed)?;
            Ok((stage.bed.perform(&request)?, plain))
        })?);
    }
    if "version".contains(&arguments.only) {
        all.push(arguments.measure("version", || {
            let (mut bed, request) = version()?;
            let cost = bed.perform(&request)?;
            Ok((cost, plain(&mut bed)?))
        })?);
    }
    if "end of a session".contains(&arguments.only) {
        all.push(arguments.measure("end of a session, 65,535 regions", || {
            let mut stage = full()?;
            let plain = plain(&mut stage.bed)?;
            Ok((stage.bed.end()?, plain))
        })?);
    }
    let json = serde_json::to_string_pretty(&all).map_err(|error| Error::device(error.to_string()));
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR"))?;
    Ok(fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("costs.json"), json?)?)
}

/// Returns the median cost of a plain read.
fn plain(bed: &mut Bed) -> Result<Cost> {
    let request = plain_read();
    let mut costs = (0..101).map(|_| bed.perform(&request)).collect::<std::io::Result<Vec<_>>>()?;
    costs.sort_by_key(|cost| cost.cpu);
    Ok(costs.swap_remove(50))
}

impl Arguments {
    fn measure(
        &self,
        name: &'static str,
        mut round: impl FnMut() -> Result<(Cost, Cost)>,
    ) -> Result<Figures> {
        let rounds = (0..self.rounds).map(|_| round()).collect::<Result<Vec<_>>>();
        let rounds = rounds.map_err(|error| Error::device(format!("{name}: {error}")))?;
        let [(first, plain), ..] = &rounds[..] else { return Err(Error::device("no rounds")) };
        let pairs: Vec<_> = rounds.iter().map(|(cost, plain)| [cost, plain].map(cpu_of)).collect();
        let row = Row::new(name, &pairs);
        let per_byte = row.ratio * length(plain) / length(first);
        let per_byte = (first.bytes > 0).then_some(per_byte);
        let longest = rounds.iter().map(|(cost, _)| micros(cost.longest)).fold(f64::MAX, f64::min);
        let figures = Figures { row, bytes: first.bytes, per_byte, longest };
        figures.print();
        Ok(figures)
    }
}

impl Figures {
    fn print(&self) {
        let Figures { row: Row { name, value, ratio, .. }, bytes, per_byte, longest } = self;
        let per_byte = per_byte.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
        println!("| {name} | {bytes} | {value:.0} | {ratio:.1} | {per_byte} | {longest:.0} |");
    }
}

fn cpu_of(cost: &Cost) -> f64 {
    micros(cost.cpu)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a message is not that long")]
fn length(cost: &Cost) -> f64 {
    cost.bytes as f64
}
