//! The NVM command set (6).

use vfio_user::zerocopy::IntoBytes;
use vfio_user::{ScatterList, WorkCx};
use vfio_user_examples::Disk;

use crate::identify::MAX_TRANSFER;
use crate::queues::Queues;
use crate::sgl::Use;
use crate::spec::{BROADCAST, Command, Outcome, Range, Status, ensure, nvm};
use crate::{prp, sgl};

/// Bytes of a logical block, as a power of two.
pub(crate) const BLOCK_SHIFT: u8 = 9;
/// Bytes of a logical block.
pub(crate) const BLOCK: u64 = 1 << BLOCK_SHIFT;
/// Flags of a command whose data is described by an SGL, in place of PRP entries (PSDT).
const SGL: u8 = 0b11 << 6;
const FORCE_UNIT_ACCESS: u32 = 1 << 30;
/// The attribute of Dataset Management that releases blocks.
const DEALLOCATE: u32 = 1 << 2;

impl Queues {
    /// Performs a command of an I/O queue.
    pub(crate) fn perform(&self, cx: &WorkCx, command: &Command) -> Outcome<()> {
        // No fused operations, and no SGL for metadata, of which there is none.
        ensure(command.flags & 0x83 == 0, Status::INVALID_FIELD)?;
        if command.opcode == nvm::FLUSH && command.nsid.get() == BROADCAST {
            return self.subsystem.flush();
        }
        let disk = self.subsystem.namespace(command.nsid.get())?;
        match command.opcode {
            nvm::FLUSH => return Ok(disk.flush()?),
            nvm::READ => return self.read(cx, command, disk),
            nvm::COMPARE => return self.compare(cx, command, disk),
            nvm::WRITE => self.write(cx, command, disk)?,
            nvm::WRITE_ZEROES => disk.clear(vec![extent(disk, command)?])?,
            nvm::DATASET_MANAGEMENT => self.manage(cx, command, disk)?,
            _ => return Err(Status::INVALID_OPCODE.into()),
        }
        // What was written may stay in a cache.
        if is_forced(command) || !self.features.has_write_cache() {
            disk.flush()?;
        }
        Ok(())
    }

    /// Returns the memory of a command's data.
    fn data(&self, cx: &WorkCx, command: &Command, len: u64, access: Use) -> Outcome<ScatterList> {
        if command.flags & SGL != 0 {
            sgl::list(cx.dma(), command, len, access)
        } else {
            prp::list(cx.dma(), command, self.page, len)
        }
    }

    fn read(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let (at, len) = source(disk, command)?;
        let data = self.data(cx, command, len, Use::Write)?;
        data.scatter(cx.dma(), |offset, held| Ok(disk.read(at + offset, held)?))
    }

    fn write(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, command)?;
        let held = self.data(cx, command, len, Use::Read)?.gather(cx.dma())?;
        Ok(disk.write(at, &held)?)
    }

    fn compare(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let (at, len) = source(disk, command)?;
        let held = self.data(cx, command, len, Use::Read)?.gather(cx.dma())?;
        let stored = disk.bytes(at, len)?;
        let mut given = vec![0; stored.len()];
        held.read(0, &mut given)?;
        ensure(given == stored, Status::COMPARE_FAILURE)
    }

    /// Releases ranges: up to 256, of context attributes, length and first block (6.7).
    fn manage(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let mut ranges = vec![Range::default(); usize::from(command.cdw10.to_bytes()[0]) + 1];
        let bytes = ranges.as_mut_bytes();
        let held = self.data(cx, command, bytes.len() as u64, Use::Read)?.gather(cx.dma())?;
        held.read(0, bytes)?;
        let ranges =
            ranges.iter().map(|range| inside(disk, range.first.get(), range.count.get().into()));
        // All of them are checked before one is released.
        let ranges = ranges.collect::<Outcome<Vec<_>>>()?;
        if command.cdw11.get() & DEALLOCATE != 0 {
            disk.clear(ranges)?;
        }
        Ok(())
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

/// Returns whether the data has to be read from, or has to be in, what outlasts the power.
fn is_forced(command: &Command) -> bool {
    command.cdw12.get() & FORCE_UNIT_ACCESS != 0
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
    let end = first.checked_add(count);
    ensure(end.is_some_and(|end| end <= blocks(disk)), Status::LBA_OUT_OF_RANGE)?;
    Ok((first * BLOCK, count * BLOCK))
}

/// Returns the same for a command that moves data, whose size is checked against MDTS.
fn transfer(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let (at, len) = extent(disk, command)?;
    ensure(len <= MAX_TRANSFER, Status::INVALID_FIELD)?;
    Ok((at, len))
}

/// Returns the same for data that is read, once it is durable if it has to be.
fn source(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let extent = transfer(disk, command)?;
    if is_forced(command) {
        disk.flush()?;
    }
    Ok(extent)
}
