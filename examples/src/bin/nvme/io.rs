//! The NVM command set (6).

use vfio_user::ScatterList;
use vfio_user::zerocopy::IntoBytes;
use vfio_user_examples::{Disk, Transfer};

use crate::identify::MAX_TRANSFER;
use crate::queues::Queues;
use crate::sgl::Use;
use crate::spec::{BROADCAST, Command, Failure, Outcome, Range, Status, ensure, nvm};
use crate::subsystem::Namespace;
use crate::under_way::Job;
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
    /// Performs a command of an I/O queue. Returns its result; `None` if it is completed later.
    pub(crate) fn perform(&mut self, job: &Job<'_>) -> Outcome<Option<u32>> {
        let (command, nsid) = (job.command, job.command.nsid.get());
        // No fused operations, and no SGL for metadata, of which there is none.
        ensure(command.flags & 0x83 == 0, Status::INVALID_FIELD)?;
        let is_done = match command.opcode {
            nvm::FLUSH if nsid == BROADCAST => self.subsystem.flush().map(|()| true),
            _ => self.access(job, self.subsystem.namespace(nsid)?),
        }?;
        if is_done {
            self.statistics.count(command);
        } else {
            self.add_under_way(job.sq, job.cq, 1);
        }
        Ok(is_done.then_some(0))
    }

    /// Performs a command of a namespace, or starts its transfer. Returns whether it is done.
    fn access(&self, job: &Job<'_>, namespace: Namespace<'_>) -> Outcome<bool> {
        let (_, disk) = namespace;
        match job.command.opcode {
            nvm::FLUSH => return self.start(job, namespace, &Transfer::Flush),
            nvm::READ => return self.read(job, namespace),
            nvm::WRITE => return self.write(job, namespace),
            nvm::COMPARE => return self.compare(job, disk).map(|()| true),
            nvm::WRITE_ZEROES => disk.clear(vec![extent(disk, job.command)?])?,
            nvm::DATASET_MANAGEMENT => self.manage(job, disk)?,
            _ => return Err(Status::INVALID_OPCODE.into()),
        }
        if self.writes_through(job.command) {
            disk.flush()?;
        }
        Ok(true)
    }

    /// Returns whether a command that writes is completed after its data has left all caches.
    fn writes_through(&self, command: &Command) -> bool {
        is_forced(command) || !self.features.has_write_cache()
    }

    /// Returns the memory of a command's data.
    fn data(&self, job: &Job<'_>, len: u64, access: Use) -> Outcome<ScatterList> {
        let (dma, command) = (job.cx.dma(), job.command);
        if command.flags & SGL != 0 {
            sgl::list(dma, command, len, access)
        } else {
            prp::list(dma, command, self.page, len)
        }
    }

    fn read(&self, job: &Job<'_>, namespace: Namespace<'_>) -> Outcome<bool> {
        let (at, len) = source(namespace.1, job.command)?;
        let data = self.data(job, len, Use::Write)?;
        let mut is_done = true;
        data.scatter(job.cx.dma(), |offset, held| {
            // The parts between bit buckets are several transfers.
            if held.len() < len {
                return Ok(namespace.1.read(at + offset, held)?);
            }
            is_done = self.start(job, namespace, &Transfer::Read(at, held))?;
            Ok::<_, Failure>(())
        })?;
        Ok(is_done)
    }

    fn write(&self, job: &Job<'_>, namespace: Namespace<'_>) -> Outcome<bool> {
        let (at, len) = transfer(namespace.1, job.command)?;
        let held = self.data(job, len, Use::Read)?.gather(job.cx.dma())?;
        let write =
            if self.writes_through(job.command) { Transfer::WriteThrough } else { Transfer::Write };
        self.start(job, namespace, &write(at, &held))
    }

    fn compare(&self, job: &Job<'_>, disk: &Disk) -> Outcome<()> {
        let (at, len) = source(disk, job.command)?;
        let held = self.data(job, len, Use::Read)?.gather(job.cx.dma())?;
        let stored = disk.bytes(at, len)?;
        let mut given = vec![0; stored.len()];
        held.read(0, &mut given)?;
        ensure(given == stored, Status::COMPARE_FAILURE)
    }

    /// Releases ranges: up to 256, of context attributes, length and first block (6.7).
    fn manage(&self, job: &Job<'_>, disk: &Disk) -> Outcome<()> {
        let command = job.command;
        let mut ranges = vec![Range::default(); usize::from(command.cdw10.to_bytes()[0]) + 1];
        let bytes = ranges.as_mut_bytes();
        let held = self.data(job, bytes.len() as u64, Use::Read)?.gather(job.cx.dma())?;
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
