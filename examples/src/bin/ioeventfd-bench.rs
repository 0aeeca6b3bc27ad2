//! Rings the doorbells of `ioeventfd`, and measures the time from each kind of ring to the
//! interrupt, for several gaps between an interrupt and the next ring:
//!
//! ```console
//! $ ioeventfd --socket-path=/tmp/bell.sock &
//! $ ioeventfd-bench --socket-path=/tmp/bell.sock
//! ```
//!
//! The doorbells alternate, so that other load on the machine affects all of them alike.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use vfio_user::client::Client;
use vfio_user::protocol::{IrqIndex, RegionIndex};
use vfio_user::{Error, EventFd, Result};

const BAR: RegionIndex = RegionIndex::Bar0;
const MESSAGE: u64 = 0x00;
const KICK: u64 = 0x04;
const PAGE: u64 = 0x1000;

/// From the interrupt to the next ring, in microseconds.
const GAPS: [u64; 10] = [0, 10, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Number of rings of a doorbell before the next one follows.
const TURN: u32 = 25;

/// Measures doorbells, side by side
#[derive(Parser)]
struct Program {
    /// Socket that `ioeventfd` listens on
    #[arg(long, value_name = "PATH")]
    socket_path: PathBuf,

    /// Number of rings for each doorbell and gap
    #[arg(long, value_name = "N", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rounds: u32,

    /// Gap from the interrupt to the next ring, in microseconds; 0 to 10 ms by default
    #[arg(long, value_name = "MICROSECONDS", value_delimiter = ',', default_values_t = GAPS)]
    #[arg(hide_default_value = true)]
    gaps: Vec<u64>,
}

/// A way to ring, and the vector of the interrupt that follows.
struct Way<'a> {
    name: &'static str,
    vector: usize,
    ring: Box<dyn Fn(u32) -> Result<()> + 'a>,
}

/// The time that each ring took.
#[derive(Default)]
struct Times {
    to_ring: Vec<Duration>,
    to_interrupt: Vec<Duration>,
}

fn main() -> Result<()> {
    let program = Program::parse();
    let client = Client::attach(&program.socket_path)?;
    let irqs = [EventFd::new()?, EventFd::new()?, EventFd::new()?, EventFd::new()?];
    client.set_irqs(IrqIndex::Msix, 0, &irqs.each_ref().map(Some))?;
    let doorbells = client.ioeventfds(BAR)?;
    let kick = doorbells.iter().find(|doorbell| doorbell.offset == KICK);
    let kick = kick.ok_or_else(|| Error::device("the device has no such doorbell"))?;
    let (bar, map) = (client.region(BAR), client.region_details(BAR)?.map()?);
    let way = |name, vector, ring| Way { name, vector, ring };
    let signal = |_| {
        kick.eventfd.signal();
        Ok(())
    };
    let ways = [
        way("message", 0, Box::new(|round| bar.write(MESSAGE, round))),
        way("posted write", 0, Box::new(|round| bar.post(MESSAGE, round))),
        way("eventfd", 1, Box::new(signal)),
        way("watched page", 3, Box::new(|round| Ok(map.store(PAGE, round)?))),
    ];
    println!("From the ring to the interrupt, in µs: median / 99th percentile");
    print!("{:>10}", "gap");
    for way in &ways {
        print!("{:>22}", way.name);
    }
    println!("{:>26}", "watched page - message");
    let mut to_ring = <[Vec<Duration>; 4]>::default();
    for gap in program.gaps {
        let times = measure(&ways, &irqs, Duration::from_micros(gap), program.rounds)?;
        times.iter().zip(&mut to_ring).for_each(|(times, all)| all.extend(&times.to_ring));
        print_row(&format!("{gap} µs"), times.map(|times| times.to_interrupt));
    }
    print_row("to ring", to_ring);
    Ok(())
}

/// Rings each doorbell `rounds` times, alternating.
fn measure(
    ways: &[Way<'_>; 4],
    irqs: &[EventFd],
    gap: Duration,
    rounds: u32,
) -> Result<[Times; 4]> {
    let mut times = <[Times; 4]>::default();
    for first in (0..rounds).step_by(TURN as usize) {
        let turn = TURN.min(rounds - first);
        for (way, times) in ways.iter().zip(&mut times) {
            ring(way, &irqs[way.vector], gap, turn, times)?;
        }
    }
    Ok(times)
}

/// Rings a doorbell `rounds` times, after one ring that does not count: no gap precedes it.
fn ring(way: &Way<'_>, irq: &EventFd, gap: Duration, rounds: u32, times: &mut Times) -> Result<()> {
    for round in 0..=rounds {
        pause(gap);
        let start = Instant::now();
        (way.ring)(round)?;
        let to_ring = start.elapsed();
        let raised = irq.wait(Duration::from_secs(5))?;
        raised.ok_or_else(|| Error::device(format!("no interrupt after a {}", way.name)))?;
        if round > 0 {
            times.to_ring.push(to_ring);
            times.to_interrupt.push(start.elapsed());
        }
    }
    Ok(())
}

/// A sleep takes at least some tens of microseconds.
fn pause(gap: Duration) {
    if gap >= Duration::from_micros(200) {
        return thread::sleep(gap);
    }
    let start = Instant::now();
    while start.elapsed() < gap {}
}

fn print_row(name: &str, mut times: [Vec<Duration>; 4]) {
    for times in &mut times {
        times.sort_unstable();
    }
    print!("{name:>10}");
    for times in &times {
        print!("{:>22}", format!("{:.1} / {:.1}", micros(times, 50), micros(times, 99)));
    }
    let behind = |percent| micros(&times[3], percent) - micros(&times[0], percent);
    println!("{:>26}", format!("{:+.1} / {:+.1}", behind(50), behind(99)));
}

/// Returns the time that this percentage of the times does not exceed; `times` are in ascending
/// order.
fn micros(times: &[Duration], percent: usize) -> f64 {
    let place = (times.len() * percent).div_ceil(100).clamp(1, times.len());
    times[place - 1].as_secs_f64() * 1e6
}
