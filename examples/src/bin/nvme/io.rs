//! The NVM command set (6).

use vfio_user::zerocopy::transmute;
use vfio_user::{Dma, DmaGuard};

use crate::data;
use crate::disk::{BLOCK, Disk, Outcome};
use crate::identify::MAX_TRANSFER;
use crate::spec::{BROADCAST, Command, Range, Status, nvm};

const FORCE_UNIT_ACCESS: u32 = 1 << 30;
/// The attribute of Dataset Management that releases blocks.
const DEALLOCATE: u32 = 1 << 2;

/// A command of an I/O queue, and where it is performed.
pub(crate) struct Request<'a> {
    pub(crate) disks: &'a [Disk],
    pub(crate) dma: &'a Dma,
    /// Bytes of a page of the guest.
    pub(crate) page: u64,
    pub(crate) command: &'a Command,
}

impl Request<'_> {
    /// Performs the command. Returns doubleword 0 of its completion.
    pub(crate) fn perform(&self) -> Outcome<u32> {
        let Request { disks, command, .. } = *self;
        // No fused operations, and no SGL for metadata, of which there is none.
        if command.flags & 0x83 != 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        if command.opcode == nvm::FLUSH && command.nsid == BROADCAST {
            return disks.iter().try_for_each(Disk::flush).map(|()| 0);
        }
        let disk = namespace(disks, command.nsid.get())?;
        match command.opcode {
            nvm::FLUSH => disk.flush()?,
            nvm::READ => self.read(disk)?,
            nvm::WRITE => self.write(disk)?,
            nvm::COMPARE => self.compare(disk)?,
            nvm::WRITE_ZEROES => {
                let (at, len) = extent(disk, command)?;
                disk.clear(at, len)?;
            }
            nvm::DATASET_MANAGEMENT => self.manage(disk)?,
            _ => return Err(Status::INVALID_OPCODE.into()),
        }
        Ok(0)
    }

    fn read(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, self.command)?;
        data::scatter(self.dma, self.command, self.page, len, |offset, piece| {
            disk.read(at + offset, piece)
        })
    }

    fn write(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, self.command)?;
        disk.write(at, &self.gather(len)?)?;
        if self.command.cdw12.get() & FORCE_UNIT_ACCESS != 0 {
            disk.flush()?;
        }
        Ok(())
    }

    fn compare(&self, disk: &Disk) -> Outcome<()> {
        let (at, len) = transfer(disk, self.command)?;
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

/// Returns the same for a command that moves data, whose size is checked against MDTS.
fn transfer(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    match extent(disk, command)? {
        (_, len) if len > MAX_TRANSFER => Err(Status::INVALID_FIELD.into()),
        extent => Ok(extent),
    }
}
