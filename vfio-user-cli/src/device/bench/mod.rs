//! `vfu bench`: what requests cost a client, beside a bare echo of the same bytes.

mod echo;
mod latencies;

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use serde::Serialize;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{DmaMapFlags, IrqAction, IrqIndex, RegionIndex};
use vfio_user::{EventFd, Result};

use super::Target;
use crate::error::Error;
use crate::seconds::seconds;
use echo::Echo;
use latencies::{Latencies, Summary};

/// Measure the latency of requests to a device, beside a bare echo of the same bytes
///
/// Only what every PCI function has is accessed: the vendor id is read, the interrupt line register
/// is written with its own value, a page of memory is mapped and unmapped, and the server triggers
/// an interrupt itself.
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
        let report = Report::measure(&client, self.seconds).map_err(self.target.failed())?;
        self.target.print(&report)
    }
}

/// The figures of a device.
#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
    /// Writes without a reply, a second.
    posted_writes: f64,
    /// How many reads have taken how long.
    reads: Latencies,
}

/// The latencies of a request, in nanoseconds.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    #[serde(flatten)]
    summary: Summary,
    /// The median of the echo.
    floor: u32,
}

impl Report {
    fn measure(client: &Client, time: Duration) -> Result<Self> {
        let config = client.region(RegionIndex::Config);
        let line = cfg::INTERRUPT_LINE as u64;
        let value: u8 = config.read(line)?;
        let reads = Latencies::measure(time, || config.read::<u32>(0).map(drop))?;
        let writes = Latencies::measure(time, || config.write(line, value))?;
        let mut rows = vec![
            Row::new("read 4 bytes", &reads, time, [32, 36])?,
            Row::new("write 1 byte", &writes, time, [33, 32])?,
        ];
        rows.push(Row::new("map and unmap", &maps(client, time)?, time, [88, 56])?);
        if let Some(index) = interrupt(client)? {
            let triggers = triggers(client, index, time)?;
            rows.push(Row::new("trigger and receive", &triggers, time, [36, 16])?);
        }
        let posted_writes = rate(time, || {
            (0..64).try_for_each(|_| config.post(line, value))?;
            // A reply to a read shows that the writes before it are done.
            config.read::<u8>(line).map(|_| 64)
        })?;
        Ok(Report { rows, posted_writes, reads })
    }
}

impl Row {
    /// Measures the floor of a request of some bytes, and of its reply.
    fn new(
        name: &'static str,
        latencies: &Latencies,
        time: Duration,
        [request, reply]: [usize; 2],
    ) -> Result<Self> {
        let mut echo = Echo::start(request, reply)?;
        let floor = Latencies::measure(time / 2, || Ok(echo.exchange()?))?.summary().p50;
        Ok(Row { name, summary: latencies.summary(), floor })
    }
}

/// Measures pairs of a mapping and its removal.
fn maps(client: &Client, time: Duration) -> Result<Latencies> {
    const PAGE: u64 = 4096;
    let file = memfd_create(c"vfu-bench", MFdFlags::MFD_CLOEXEC).map_err(std::io::Error::from)?;
    ftruncate(&file, PAGE.cast_signed()).map_err(std::io::Error::from)?;
    let file = File::from(file);
    // No other client is attached, so nothing else is mapped.
    let iova = 1 << 32;
    Latencies::measure(time, || {
        client.dma_map(DmaMapping {
            iova,
            size: PAGE,
            file: file.as_fd(),
            offset: 0,
            rights: DmaMapFlags::READ | DmaMapFlags::WRITE,
        })?;
        client.dma_unmap(iova, PAGE)
    })
}

/// Returns the interrupt to measure, if there is one.
fn interrupt(client: &Client) -> Result<Option<IrqIndex>> {
    for index in [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx] {
        if client.irq_details(index)?.count > 0 {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn triggers(client: &Client, index: IrqIndex, time: Duration) -> Result<Latencies> {
    let eventfd = EventFd::new()?;
    client.set_irqs(index, 0, &[Some(&eventfd)])?;
    let measured = Latencies::measure(time, || {
        client.act_on_irqs(index, IrqAction::Trigger, 0..1)?;
        eventfd.take();
        // INTx masks itself.
        if index == IrqIndex::Intx {
            client.act_on_irqs(index, IrqAction::Unmask, 0..1)?;
        }
        Ok(())
    });
    client.disable_irqs(index)?;
    measured
}

/// Returns how much `work` does in a second; it returns how much it has done.
fn rate(time: Duration, mut work: impl FnMut() -> Result<u32>) -> Result<f64> {
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < time {
        count += f64::from(work()?);
    }
    Ok(count / start.elapsed().as_secs_f64())
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:20} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>6}",
            "ns", "count", "p50", "p90", "p99", "p99.9", "max", "floor", "ratio"
        )?;
        for Row { name, summary, floor } in &self.rows {
            let Summary { count, p50, p90, p99, p99_9, max } = summary;
            let ratio = f64::from(*p50) / f64::from((*floor).max(1));
            writeln!(
                f,
                "{name:20} {count:>9} {p50:>8} {p90:>8} {p99:>8} {p99_9:>8} {max:>9} {floor:>8} \
                 {ratio:>6.2}"
            )?;
        }
        writeln!(f, "\nposted writes: {:.0} a second\n\nreads of 4 bytes:", self.posted_writes)?;
        self.reads.fmt(f)
    }
}
