//! Rings the doorbells of `ioeventfd`, and tells what each way costs who rings, and how long it takes
//! until the interrupt is there:
//!
//! ```console
//! $ ioeventfd --socket-path=/tmp/bell.sock &
//! $ ioeventfd-bench --socket-path=/tmp/bell.sock
//! ```

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use vfio_user::protocol::{IrqIndex, RegionIndex};
use vfio_user::{Client, Error, EventFd, Result};

const BAR: RegionIndex = RegionIndex::Bar0;
const MESSAGE: u64 = 0x00;
const KICK: u64 = 0x04;
const PAGE: u64 = 0x1000;

/// Measures doorbells, side by side
#[derive(Parser)]
struct Program {
    /// Where `ioeventfd` listens
    #[arg(long, value_name = "PATH")]
    socket_path: PathBuf,

    /// How often to ring each doorbell
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rounds: u32,
}

/// A way to ring, and the vector of the interrupt that follows.
struct Way<'a> {
    name: &'static str,
    vector: usize,
    ring: Box<dyn Fn(u32) -> Result<()> + 'a>,
}

/// Medians.
struct Cost {
    to_ring: Duration,
    to_interrupt: Duration,
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
    println!("{:<14}{:>12}{:>22}", "doorbell", "to ring", "until the interrupt");
    for way in &ways {
        let Cost { to_ring, to_interrupt } = measure(way, &irqs[way.vector], program.rounds)?;
        println!("{:<14}{:>12}{:>22}", way.name, micros(to_ring), micros(to_interrupt));
    }
    Ok(())
}

fn measure(way: &Way<'_>, irq: &EventFd, rounds: u32) -> Result<Cost> {
    let (mut to_ring, mut to_interrupt) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let start = Instant::now();
        (way.ring)(round)?;
        to_ring.push(start.elapsed());
        let heard = irq.wait(Duration::from_secs(5))?;
        heard.ok_or_else(|| Error::device(format!("no interrupt after a {}", way.name)))?;
        to_interrupt.push(start.elapsed());
    }
    Ok(Cost { to_ring: median(to_ring), to_interrupt: median(to_interrupt) })
}

fn median(mut times: Vec<Duration>) -> Duration {
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
}

fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_secs_f64() * 1e6)
}
