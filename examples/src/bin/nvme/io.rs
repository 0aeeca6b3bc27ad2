//! The NVM command set (6).

use vfio_user::zerocopy::transmute;
use vfio_user::{Dma, DmaGuard};

use crate::data;
use crate::disk::{BLOCK, Disk, Outcome};
use crate::identify::MAX_TRANSFER;
use crate::spec::{BROADCAST, Command, Range, Status, nvm};
use crate::subsystem::Subsystem;

const FORCE_UNIT_ACCESS: u32 = 1 << 30;
/// The attribute of Dataset Management that releases blocks.
const DEALLOCATE: u32 = 1 << 2;

/// A command of an I/O queue, and where it is performed.
pub(crate) struct Request<'a> {
    pub(crate) subsystem: &'a Subsystem,
    pub(crate) dma: &'a Dma,
    /// Bytes of a page of the guest.
    pub(crate) page: u64,
    /// What is written need not be durable before a Flush.
    pub(crate) is_cached: bool,
    pub(crate) command: &'a Command,
}

impl Request<'_> {
    /// Performs the command. Returns doubleword 0 of its completion.
    pub(crate) fn perform(&self) -> Outcome<u32> {
        let Request { subsystem, command, .. } = *self;
        // No fused operations, and no SGL for metadata, of which there is none.
        if command.flags & 0x83 != 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        if command.opcode == nvm::FLUSH && command.nsid == BROADCAST {
            return subsystem.flush().map(|()| 0);
        }
        let disk = subsystem.namespace(command.nsid.get())?;
        match command.opcode {
            nvm::FLUSH => disk.flush(),
            nvm::READ => self.read(disk),
            nvm::COMPARE => self.compare(disk),
            nvm::WRITE => self.write(disk).and_then(|()| self.finish_write(disk)),
            nvm::WRITE_ZEROES => self.clear(disk).and_then(|()| self.finish_write(disk)),
            nvm::DATASET_MANAGEMENT => self.manage(disk).and_then(|()| self.finish_write(disk)),
            _ => Err(Status::INVALID_OPCODE.into()),
        }
        .map(|()| 0)
    }

    /// Returns whether the data has to be read from, or has to be in, what outlasts the power.
    fn is_forced(&self) -> bool {
        self.command.cdw12.get() & FORCE_UNIT_ACCESS != 0
    }

    /// Makes what the command has written durable, if it has to be.
    fn finish_write(&self, disk: &Disk) -> Outcome<()> {
        if self.is_forced() || !self.is_cached { disk.flush() } else { Ok(()) }
    }

    /// Returns the place of data that is read, and makes it durable first if it has to be.
    fn source(&self, disk: &Disk) -> Outcome<(u64, u64)> {
        let place = transfer(disk, self.command)?;
        if self.is_forced() {
            disk.flush()?;
        }
        Ok(place)
    }

    fn read(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = self.source(disk)?;
        data::scatter(self.dma, self.command, self.page, len, |offset, piece| {
            disk.read(at + offset, piece)
        })
    }

    fn write(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, self.command)?;
        disk.write(at, &self.gather(len)?)
    }

    fn clear(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = extent(disk, self.command)?;
        disk.clear(at, len)
    }

    fn compare(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = self.source(disk)?;
        let held = self.gather(len)?;
        let stored = disk.bytes(at, len)?;
        let mut given = vec![0; stored.len()];
        held.read(0, &mut given)?;
        if given == stored { Ok(()) } else { Err(Status::COMPARE_FAILURE.into()) }
    }

    /// Releases ranges: up to 256, of context attributes, length and first block (6.7).
    fn manage(&self, disk: &Disk) -> Outcome<()> {
        let count = u64::from(self.command.cdw10.get() & 0xff) + 1;
        let held = self.gather(16 * count)?;
        let mut ranges = vec![0; usize::try_from(16 * count).unwrap_or(0)];
        held.read(0, &mut ranges)?;
        let ranges = ranges.as_chunks::<16>().0.iter().map(|range| {
            let range: Range = transmute!(*range);
            inside(disk, range.first.get(), range.count.get().into())
        });
        // All of them are checked before one is released.
        let mut ranges = ranges.collect::<Outcome<Vec<_>>>()?;
        if self.command.cdw11.get() & DEALLOCATE == 0 {
            return Ok(());
        }
        ranges.sort_unstable();
        let mut end = 0;
        for (at, len) in ranges {
            // No byte is cleared twice, however the ranges overlap.
            let start = at.max(end);
            end = end.max(at + len);
            if start < end {
                disk.clear(start, end - start)?;
            }
        }
        Ok(())
    }

    fn gather(&self, len: u64) -> Outcome<DmaGuard> {
        data::gather(self.dma, self.command, self.page, len)
    }
}

/// Returns how many bytes a command moves at most.
pub(crate) fn cost(command: &Command) -> u64 {
    match command.opcode {
        nvm::READ | nvm::WRITE | nvm::COMPARE => {
            BLOCK * (u64::from(command.cdw12.get() & 0xffff) + 1)
        }
        _ => BLOCK,
    }
}

/// Returns the first byte of a command's blocks, and how many bytes they have.
fn extent(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let first = u64::from(command.cdw11.get()) << 32 | u64::from(command.cdw10.get());
    let count = u64::from(command.cdw12.get() & 0xffff) + 1;
    inside(disk, first, count)
}

fn inside(disk: &Disk, first: u64, count: u64) -> Outcome<(u64, u64)> {
    match first.checked_add(count) {
        Some(end) if end <= disk.blocks() => Ok((first * BLOCK, count * BLOCK)),
        _ => Err(Status::LBA_OUT_OF_RANGE.into()),
    }
}

/// Returns the same for a command that moves data, whose size is checked against MDTS.
fn transfer(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    match extent(disk, command)? {
        (_, len) if len > MAX_TRANSFER => Err(Status::INVALID_FIELD.into()),
        extent => Ok(extent),
    }
}
