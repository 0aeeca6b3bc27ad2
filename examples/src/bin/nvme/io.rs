//! The NVM command set (6).

use vfio_user::Dma;
use vfio_user::zerocopy::transmute;

use crate::disk::{BLOCK, Disk, Outcome};
use crate::identify::MAX_TRANSFER;
use crate::prp::{self, Use};
use crate::spec::{BROADCAST, Command, Range, Status, nvm};

/// Performs a command of an I/O queue, in a guest with pages of `page` bytes.
pub(crate) fn perform(disks: &[Disk], dma: &Dma, page: u64, command: &Command) -> Outcome<u32> {
    check_flags(command)?;
    if command.opcode == nvm::FLUSH && command.nsid == BROADCAST {
        return disks.iter().try_for_each(Disk::flush).map(|()| 0);
    }
    let disk = namespace(disks, command.nsid.get())?;
    match command.opcode {
        nvm::FLUSH => disk.flush()?,
        nvm::READ => {
            let (at, len) = extent(disk, command)?;
            disk.read(at, &prp::hold(dma, command, page, data(len)?, Use::Write)?)?;
        }
        nvm::WRITE => {
            let (at, len) = extent(disk, command)?;
            disk.write(at, &prp::hold(dma, command, page, data(len)?, Use::Read)?)?;
            if command.cdw12.get() & FORCE_UNIT_ACCESS != 0 {
                disk.flush()?;
            }
        }
        nvm::COMPARE => compare(disk, dma, page, command)?,
        nvm::WRITE_ZEROES => {
            let (at, len) = extent(disk, command)?;
            disk.clear(at, len)?;
        }
        nvm::DATASET_MANAGEMENT => manage(disk, dma, page, command)?,
        _ => return Err(Status::INVALID_OPCODE.into()),
    }
    Ok(0)
}

const FORCE_UNIT_ACCESS: u32 = 1 << 30;
/// The attribute of Dataset Management that releases blocks.
const DEALLOCATE: u32 = 1 << 2;

/// Refuses SGLs (PSDT) and fused operations (FUSE).
pub(crate) fn check_flags(command: &Command) -> Outcome<()> {
    if command.flags & 0xc3 == 0 { Ok(()) } else { Err(Status::INVALID_FIELD.into()) }
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

/// Returns the namespace with this number, counted from 1.
pub(crate) fn namespace(disks: &[Disk], nsid: u32) -> Outcome<&Disk> {
    let index = usize::try_from(nsid).ok().and_then(|nsid| nsid.checked_sub(1));
    index.and_then(|index| disks.get(index)).ok_or(Status::INVALID_NAMESPACE.into())
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

/// Checks the size of a transfer against MDTS.
fn data(len: u64) -> Outcome<u64> {
    if len <= MAX_TRANSFER { Ok(len) } else { Err(Status::INVALID_FIELD.into()) }
}

fn compare(disk: &Disk, dma: &Dma, page: u64, command: &Command) -> Outcome<()> {
    let (at, len) = extent(disk, command)?;
    let held = prp::hold(dma, command, page, data(len)?, Use::Read)?;
    let stored = disk.bytes(at, len)?;
    let mut given = vec![0; stored.len()];
    held.read(0, &mut given)?;
    if given == stored { Ok(()) } else { Err(Status::COMPARE_FAILURE.into()) }
}

/// Releases ranges: up to 256, of context attributes, length and first block (6.7).
fn manage(disk: &Disk, dma: &Dma, page: u64, command: &Command) -> Outcome<()> {
    let count = u64::from(command.cdw10.get() & 0xff) + 1;
    let held = prp::hold(dma, command, page, 16 * count, Use::Read)?;
    let mut ranges = vec![0; usize::try_from(16 * count).unwrap_or(0)];
    held.read(0, &mut ranges)?;
    let ranges = ranges.as_chunks::<16>().0.iter().map(|range| {
        let range: Range = transmute!(*range);
        inside(disk, range.first.get(), range.count.get().into())
    });
    // All of them are checked before one is released.
    let mut ranges = ranges.collect::<Outcome<Vec<_>>>()?;
    if command.cdw11.get() & DEALLOCATE == 0 {
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
