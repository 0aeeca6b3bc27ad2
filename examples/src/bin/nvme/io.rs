//! The NVM command set (6).

use vfio_user::zerocopy::IntoBytes;
use vfio_user::{Dma, ScatterList};
use vfio_user_examples::Disk;

use crate::failure::{Failure, Outcome};
use crate::identify::MAX_TRANSFER;
use crate::sgl::Use;
use crate::spec::{BROADCAST, Command, Range, Status, nvm};
use crate::subsystem::Subsystem;
use crate::{prp, sgl};

/// Bytes of a logical block, as a power of two.
pub(crate) const BLOCK_SHIFT: u8 = 9;
/// Bytes of a logical block.
pub(crate) const BLOCK: u64 = 1 << BLOCK_SHIFT;
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
            nvm::FLUSH => flush(disk),
            nvm::READ => self.read(disk),
            nvm::COMPARE => self.compare(disk),
            nvm::WRITE => self.write(disk),
            nvm::WRITE_ZEROES => self.clear(disk),
            nvm::DATASET_MANAGEMENT => self.manage(disk),
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
        if self.is_forced() || !self.is_cached { flush(disk) } else { Ok(()) }
    }

    /// Returns the place of data that is read, and makes it durable first if it has to be.
    fn source(&self, disk: &Disk) -> Outcome<(u64, u64)> {
        let place = transfer(disk, self.command)?;
        if self.is_forced() {
            flush(disk)?;
        }
        Ok(place)
    }

    /// Returns the memory of the command's data.
    fn memory(&self, len: u64, access: Use) -> Outcome<ScatterList> {
        if self.command.has_sgl() {
            sgl::list(self.dma, self.command, len, access)
        } else {
            prp::list(self.dma, self.command, self.page, len)
        }
    }

    fn read(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = self.source(disk)?;
        self.memory(len, Use::Write)?.scatter(self.dma, |offset, held| {
            let read = disk.read(at + offset, held);
            read.map_err(|error| Failure::of_transfer(error, Status::UNRECOVERED_READ))
        })
    }

    fn write(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, self.command)?;
        let written = disk.write(at, &self.memory(len, Use::Read)?.gather(self.dma)?);
        written.map_err(|error| Failure::of_transfer(error, Status::WRITE_FAULT))?;
        self.finish_write(disk)
    }

    fn clear(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = extent(disk, self.command)?;
        disk.clear(at, len).map_err(|_| Status::WRITE_FAULT)?;
        self.finish_write(disk)
    }

    fn compare(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = self.source(disk)?;
        let held = self.memory(len, Use::Read)?.gather(self.dma)?;
        let stored = disk.bytes(at, len).map_err(|_| Status::UNRECOVERED_READ)?;
        let mut given = vec![0; stored.len()];
        held.read(0, &mut given)?;
        if given == stored { Ok(()) } else { Err(Status::COMPARE_FAILURE.into()) }
    }

    /// Releases ranges: up to 256, of context attributes, length and first block (6.7).
    fn manage(&self, disk: &Disk) -> Outcome<()> {
        let mut ranges = vec![Range::default(); usize::from(self.command.cdw10.to_bytes()[0]) + 1];
        let bytes = ranges.as_mut_bytes();
        self.memory(bytes.len() as u64, Use::Read)?.gather(self.dma)?.read(0, bytes)?;
        let ranges =
            ranges.iter().map(|range| inside(disk, range.first.get(), range.count.get().into()));
        // All of them are checked before one is released.
        let mut ranges = ranges.collect::<Outcome<Vec<_>>>()?;
        if self.command.cdw11.get() & DEALLOCATE != 0 {
            ranges.sort_unstable();
            let mut end = 0;
            for (at, len) in ranges {
                // No byte is cleared twice, however the ranges overlap.
                let start = at.max(end);
                end = end.max(at + len);
                if start < end {
                    disk.clear(start, end - start).map_err(|_| Status::WRITE_FAULT)?;
                }
            }
        }
        self.finish_write(disk)
    }
}

/// Returns how many bytes a command moves at most.
pub(crate) fn cost(command: &Command) -> u64 {
    match command.opcode {
        nvm::READ | nvm::WRITE | nvm::COMPARE => BLOCK * count(command),
        _ => BLOCK,
    }
}

/// Returns the number of blocks of a namespace.
pub(crate) fn blocks(disk: &Disk) -> u64 {
    disk.len() / BLOCK
}

fn flush(disk: &Disk) -> Outcome<()> {
    disk.flush().map_err(|_| Status::WRITE_FAULT.into())
}

/// Returns the number of logical blocks of a command (NLB, there less one).
fn count(command: &Command) -> u64 {
    u64::from(command.cdw12.get() & 0xffff) + 1
}

/// Returns the first byte of a command's blocks, and how many bytes they have.
fn extent(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let first = u64::from(command.cdw11.get()) << 32 | u64::from(command.cdw10.get());
    inside(disk, first, count(command))
}

fn inside(disk: &Disk, first: u64, count: u64) -> Outcome<(u64, u64)> {
    match first.checked_add(count) {
        Some(end) if end <= blocks(disk) => Ok((first * BLOCK, count * BLOCK)),
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
