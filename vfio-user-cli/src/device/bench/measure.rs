//! What is measured, each with its floor.

use std::os::fd::AsFd as _;
use std::time::Duration;

use vfio_user::client::{Client, DmaMapping};
use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{
    DmaMapFlags, IrqAction, IrqIndex, MAX_DATA_XFER_SIZE, RegionFlags, RegionIndex,
};
use vfio_user::{EventFd, Result};

use super::floor::{self, Exchange, PAGE, page};
use super::latencies::{Latencies, rate};
use super::report::{Latency, Rate, Report, Stop, Unit};
use crate::device::decode::enabled;

/// The time for an interrupt to arrive.
const PATIENCE: Duration = Duration::from_secs(1);
/// The posted writes before a read that waits for them.
const POSTED: u32 = 64;

// The sizes of messages: the header has 16 bytes, the head of an access 16 more.
const READ: Exchange = Exchange::of(32, 36);
const WRITE: Exchange = Exchange::of(33, 32);
const POST: Exchange = Exchange::of(33, 0);
const READ_BYTE: Exchange = Exchange::of(32, 33);
const MAP: Exchange = Exchange::with_fd(48, 16);
const UNMAP: Exchange = Exchange::of(40, 40);
const SET_IRQS: Exchange = Exchange::of(36, 16);

/// Measures everything, each for some time.
pub(super) fn measure(client: &Client, time: Duration) -> Result<Report> {
    let server = Measured { client, time };
    let mut report = Report::default();
    report.latency("read 4 bytes", server.reads())?;
    report.latency("write 1 byte", server.writes())?;
    report.latency("map and unmap", server.maps())?;
    report.latency("trigger and receive", server.triggers())?;
    report.rate("posted writes", server.posted_writes())?;
    report.rate("bulk reads", server.bulk_reads())?;
    Ok(report)
}

/// A server that is measured.
struct Measured<'a> {
    client: &'a Client,
    time: Duration,
}

impl Measured<'_> {
    fn reads(&self) -> Result<Latency, Stop> {
        let config = self.client.region(RegionIndex::Config);
        self.latency(&[READ], || Ok(config.read::<u32>(0).map(drop)?))
    }

    /// Writes to the interrupt line register, which no device acts on, its own value.
    fn writes(&self) -> Result<Latency, Stop> {
        let config = self.client.region(RegionIndex::Config);
        let line = cfg::INTERRUPT_LINE as u64;
        let value: u8 = config.read(line)?;
        self.latency(&[WRITE], || Ok(config.write(line, value)?))
    }

    /// Mappings of a page of memory, each with its removal.
    fn maps(&self) -> Result<Latency, Stop> {
        let file = page()?;
        // No other client is attached, so nothing else is mapped.
        let iova = 1 << 32;
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        self.latency(&[MAP, UNMAP], || {
            let file = file.as_fd();
            self.client.dma_map(DmaMapping { iova, size: PAGE, file, offset: 0, rights })?;
            Ok(self.client.dma_unmap(iova, PAGE)?)
        })
    }

    /// Interrupts that the server signals on request.
    fn triggers(&self) -> Result<Latency, Stop> {
        let index = self.interrupt()?;
        // INTx masks itself.
        let unmasks = index == IrqIndex::Intx;
        let exchanges = if unmasks { &[SET_IRQS; 2][..] } else { &[SET_IRQS] };
        let eventfd = EventFd::new()?;
        self.client.set_irqs(index, 0, &[Some(&eventfd)])?;
        let measured = self.latency(exchanges, || {
            self.client.act_on_irqs(index, IrqAction::Trigger, 0..1)?;
            if eventfd.take().is_none() && eventfd.wait(PATIENCE)?.is_none() {
                return Err(Stop::Lacks(format!("no interrupt arrives within {PATIENCE:?}")));
            }
            if unmasks {
                self.client.act_on_irqs(index, IrqAction::Unmask, 0..1)?;
            }
            Ok(())
        });
        self.client.disable_irqs(index)?;
        measured
    }

    /// Returns the interrupt to measure.
    fn interrupt(&self) -> Result<IrqIndex, Stop> {
        for index in [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx] {
            if self.client.irq_details(index)?.count > 0 {
                return Ok(index);
            }
        }
        Err(Stop::Lacks("the device has no MSI-X, MSI or INTx".into()))
    }

    /// Writes without a reply. A reply to a read shows that the writes before it are done.
    fn posted_writes(&self) -> Result<Rate, Stop> {
        let config = self.client.region(RegionIndex::Config);
        let line = cfg::INTERRUPT_LINE as u64;
        let value: u8 = config.read(line)?;
        let batches = rate(self.time, || {
            (0..POSTED).try_for_each(|_| config.post(line, value))?;
            config.read::<u8>(line).map(drop)
        })?;
        let exchanges = [&[POST; POSTED as usize][..], &[READ_BYTE]].concat();
        let floor = floor::frequency(&exchanges, self.time / 2).map_err(Stop::Failed)?;
        let each = f64::from(POSTED);
        Ok(Rate { bytes: 1, unit: Unit::Messages, value: batches * each, floor: floor * each })
    }

    /// Reads of as many bytes as a message holds.
    fn bulk_reads(&self) -> Result<Rate, Stop> {
        let (region, offset, bytes) = self.largest()?;
        let mut data = vec![0; bytes as usize];
        let region_handle = self.client.region(region);
        let reads = enabled(self.client, region, || {
            rate(self.time, || region_handle.read_bytes(offset, &mut data))
        })?;
        let exchange = Exchange::of(32, 32 + data.len());
        let floor = floor::frequency(&[exchange], self.time / 2).map_err(Stop::Failed)?;
        let each = f64::from(bytes);
        Ok(Rate { bytes, unit: Unit::Bytes, value: reads * each, floor: floor * each })
    }

    /// Returns the most bytes that one message can read and no read has an effect on: the largest
    /// part of a BAR that a guest maps, else the configuration space.
    fn largest(&self) -> Result<(RegionIndex, u64, u32), Stop> {
        let most = self.client.server_capabilities().max_data_xfer_size;
        let most = most.min(MAX_DATA_XFER_SIZE as u64);
        let config = self.client.region_details(RegionIndex::Config)?;
        let mut largest = (RegionIndex::Config, 0, config.size.min(most));
        for bar in (0..6).map(RegionIndex::from) {
            let details = self.client.region_details(bar)?;
            if !details.flags.contains(RegionFlags::READ | RegionFlags::MMAP) {
                continue;
            }
            for area in &details.areas {
                let size = area.size.get().min(most);
                if size > largest.2 {
                    largest = (bar, area.offset.get(), size);
                }
            }
        }
        let (region, offset, size) = largest;
        Ok((region, offset, u32::try_from(size).unwrap_or(0)))
    }

    /// Measures a request, and its floor.
    fn latency(
        &self,
        exchanges: &[Exchange],
        request: impl FnMut() -> Result<(), Stop>,
    ) -> Result<Latency, Stop> {
        let histogram = Latencies::measure(self.time, request)?;
        let floor = floor::median(exchanges, self.time / 2).map_err(Stop::Failed)?;
        Ok(Latency { summary: histogram.summary(), floor, histogram })
    }
}
