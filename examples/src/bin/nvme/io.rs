//! The NVM command set (6).

use vfio_user::zerocopy::IntoBytes;
use vfio_user::{DmaGuard, WorkCx};
use vfio_user_examples::{Disk, Transfer};

use crate::data;
use crate::queues::{Kind, Queues};
use crate::spec::{BROADCAST, Command, Failure, Outcome, Range, Status, ensure, nvm};
use crate::subsystem::{MAX_TRANSFER, Namespace};
use crate::turn::Job;

/// Bytes of a logical block, as a power of two.
pub(crate) const BLOCK_SHIFT: u8 = 9;
/// Bytes of a logical block.
pub(crate) const BLOCK: u64 = 1 << BLOCK_SHIFT;
const FORCE_UNIT_ACCESS: u32 = 1 << 30;
/// The attribute of Dataset Management that releases blocks.
const DEALLOCATE: u32 = 1 << 2;

impl Queues {
    /// Performs a command of an I/O queue, or starts its transfer. Returns its result.
    pub(crate) fn perform(&self, cx: &WorkCx, job: &Job) -> Outcome<u32> {
        let (command, subsystem) = (&job.command, &self.common.subsystem);
        // No fused operations, and no SGL for metadata, of which there is none.
        ensure(command.flags & 0x83 == 0, Status::INVALID_FIELD)?;
        if (command.opcode, command.nsid.get()) == (nvm::FLUSH, BROADCAST) {
            return subsystem.flush().map(|()| 0);
        }
        let namespace @ (_, disk) = subsystem.namespace(command.nsid.get())?;
        let done = match command.opcode {
            nvm::FLUSH => self.start(job, namespace, &Transfer::Flush),
            nvm::READ => self.read(cx, job, namespace),
            nvm::WRITE => self.write(cx, job, namespace),
            nvm::COMPARE => self.compare(cx, command, disk),
            nvm::WRITE_ZEROES => self.clear(command, disk, vec![extent(disk, command)?]),
            nvm::DATASET_MANAGEMENT => self.manage(cx, command, disk),
            _ => Err(Status::INVALID_OPCODE.into()),
        };
        done.map(|()| 0)
    }

    /// Returns whether a command that writes is completed after its data has left all caches.
    fn writes_through(&self, command: &Command) -> bool {
        is_forced(command) || !self.features.has_write_cache()
    }

    /// Starts the transfer of a command, or does it.
    fn start(&self, job: &Job, namespace: Namespace<'_>, transfer: &Transfer<'_>) -> Outcome<()> {
        let queues = [Kind::Submission.doorbell(job.sq), Kind::Completion.doorbell(job.cq)];
        let is_done = self.common.transfers.start(namespace, transfer, queues, || job.clone())?;
        ensure(is_done, Failure::UnderWay)
    }

    /// Holds the memory of a command's data, which the device reads.
    fn gather(&self, cx: &WorkCx, command: &Command, len: u64) -> Outcome<DmaGuard> {
        Ok(data::list(cx.dma(), command, self.page, len)?.gather(cx.dma())?)
    }

    fn read(&self, cx: &WorkCx, job: &Job, namespace: Namespace<'_>) -> Outcome<()> {
        let (at, len) = source(namespace.1, &job.command)?;
        let data = data::list(cx.dma(), &job.command, self.page, len)?;
        data.scatter(cx.dma(), |offset, held| {
            // The parts between bit buckets are several transfers.
            if held.len() < len {
                return Ok(namespace.1.read(at + offset, held)?);
            }
            self.start(job, namespace, &Transfer::Read(at, held))
        })
    }

    fn write(&self, cx: &WorkCx, job: &Job, namespace: Namespace<'_>) -> Outcome<()> {
        let (at, len) = extent(namespace.1, &job.command)?;
        let held = self.gather(cx, &job.command, len)?;
        let is_through = self.writes_through(&job.command);
        let write = if is_through { Transfer::WriteThrough } else { Transfer::Write };
        self.start(job, namespace, &write(at, &held))
    }

    fn compare(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let (at, len) = source(disk, command)?;
        let held = self.gather(cx, command, len)?;
        ensure(disk.is_equal(at, &held)?, Status::COMPARE_FAILURE)
    }

    /// Releases ranges: up to 256, of context attributes, length and first block (6.7).
    fn manage(&self, cx: &WorkCx, command: &Command, disk: &Disk) -> Outcome<()> {
        let mut ranges = vec![Range::default(); usize::from(command.cdw10.to_bytes()[0]) + 1];
        let bytes = ranges.as_mut_bytes();
        self.gather(cx, command, bytes.len() as u64)?.read(0, bytes)?;
        // All of them are checked before one is released.
        let extent =
            |range: &Range| disk.extent(range.first.get(), range.count.get().into(), BLOCK);
        let mut ranges = ranges.iter().map(extent).collect::<Result<Vec<_>, _>>()?;
        if command.cdw11.get() & DEALLOCATE == 0 {
            ranges.clear();
        }
        self.clear(command, disk, ranges)
    }

    fn clear(&self, command: &Command, disk: &Disk, ranges: Vec<(u64, u64)>) -> Outcome<()> {
        disk.clear(ranges)?;
        if self.writes_through(command) {
            disk.flush()?;
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

/// Returns whether the data has to be read from, or has to be in, what outlasts the power.
fn is_forced(command: &Command) -> bool {
    command.cdw12.get() & FORCE_UNIT_ACCESS != 0
}

/// Returns the number of logical blocks of a command (NLB, there less one).
fn count(command: &Command) -> u64 {
    u64::from(command.cdw12.get() & 0xffff) + 1
}

/// Returns the first byte of a command's blocks, and how many bytes they have. What moves data is
/// checked against MDTS.
fn extent(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let first = u64::from(command.cdw11.get()) << 32 | u64::from(command.cdw10.get());
    let extent = disk.extent(first, count(command), BLOCK)?;
    ensure(cost(command) <= MAX_TRANSFER, Status::INVALID_FIELD)?;
    Ok(extent)
}

/// Returns the same for data that is read, once it is durable if it has to be.
fn source(disk: &Disk, command: &Command) -> Outcome<(u64, u64)> {
    let extent = extent(disk, command)?;
    if is_forced(command) {
        disk.flush()?;
    }
    Ok(extent)
}
