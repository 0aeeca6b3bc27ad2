//! Reads and writes of files that the kernel does while the thread continues, by `io_uring(7)`.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use io_uring::register::Restriction;
use io_uring::types::{Fixed, FsyncFlags};
use io_uring::{IoUring, cqueue, opcode, squeue};
use nix::errno::Errno;
use nix::libc;

use super::SharedBytes;
use super::vectored::{MAX_RANGES, skip};

/// The only operations of a ring.
const OPERATIONS: [u8; 6] = [
    opcode::Nop::CODE,
    opcode::Read::CODE,
    opcode::Readv::CODE,
    opcode::Write::CODE,
    opcode::Writev::CODE,
    opcode::Fsync::CODE,
];
/// The maximum number of bytes of a read or write, below the kernel's own limit.
const MAX_LEN: usize = 1 << 30;
/// `IORING_ENTER_GETEVENTS`: waits for completions.
const GETEVENTS: u32 = 1;
/// How long a call waits before it is repeated, when the system lacks memory.
const PAUSE: Duration = Duration::from_millis(1);

/// What owns the memory of a transfer.
///
/// The memory has to be borrowed from `self`, so it stays mapped as long as `self` exists.
pub(crate) trait HoldsBytes: 'static {
    type Error;

    /// Returns the ranges of the memory in the order of their bytes; none if none are moved.
    fn bytes(&self) -> impl Iterator<Item = Result<SharedBytes<'_>, Self::Error>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOperation {
    Read,
    Write,
    /// Makes durable what was written (`fdatasync(2)`).
    Sync,
    /// Moves nothing, and finishes as the others do.
    Nothing,
}

/// Where a transfer starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilePosition {
    /// The index of the file.
    pub(crate) file: u32,
    pub(crate) position: u64,
}

/// A transfer that has finished.
pub(crate) struct Finished<H> {
    pub(crate) held: H,
    /// The position in the file after the last byte that was moved.
    pub(crate) position: u64,
    pub(crate) result: io::Result<()>,
}

/// A ring of the kernel, and the transfers that are under way.
///
/// The ring reads, writes and syncs the files that it was created with. The kernel refuses all
/// else, also to code that has taken over the process.
pub(crate) struct Uring<H: HoldsBytes> {
    ring: IoUring,
    slots: Box<[RingSlot<H>]>,
    free: Vec<u32>,
    /// The number of entries that were pushed and whose completions were not taken.
    under_way: usize,
}

/// A transfer, or room for one.
struct RingSlot<H> {
    operation: FileOperation,
    place: FilePosition,
    /// The memory, as far as it was not moved. The kernel may use it while `held` is there; the
    /// slot is neither moved nor changed meanwhile.
    ranges: Vec<SharedBytes<'static>>,
    /// The first range that is left.
    first: usize,
    held: Option<H>,
}

impl<H: HoldsBytes> Uring<H> {
    /// Creates a ring for `depth` transfers at a time, from 1 to 4096.
    ///
    /// # Errors
    ///
    /// ENOSYS or EINVAL if the kernel is too old, EPERM if it denies rings to the process.
    pub(crate) fn new(files: &[BorrowedFd<'_>], depth: u16) -> io::Result<Self> {
        let ring = IoUring::builder().setup_r_disabled().build(depth.into())?;
        let files: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
        ring.submitter().register_files(&files)?;
        // Transfers name registered files alone.
        let fixed = squeue::Flags::FIXED_FILE.bits();
        let operations = OPERATIONS.map(Restriction::sqe_op).into_iter();
        let mut allowed: Vec<_> =
            operations.chain([Restriction::sqe_flags_required(fixed)]).collect();
        ring.submitter().register_restrictions(&mut allowed)?;
        ring.submitter().register_enable_rings()?;
        let slots = (0..depth).map(|_| RingSlot::empty()).collect();
        Ok(Uring { ring, slots, free: (0..depth.into()).rev().collect(), under_way: 0 })
    }

    /// Returns the number of transfers that can be started before one finishes.
    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }

    /// Returns whether nothing is prepared or under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Prepares a transfer, which starts with the next [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// What owns the memory, with its error.
    ///
    /// # Panics
    ///
    /// If there is no [`room`](Self::room).
    pub(crate) fn start(
        &mut self,
        operation: FileOperation,
        place: FilePosition,
        held: H,
    ) -> Result<(), (H, H::Error)> {
        let index = self.free.pop().expect("room for a transfer");
        let slot = &mut self.slots[index as usize];
        (slot.operation, slot.place) = (operation, place);
        match slot.hold(held) {
            Ok(()) => {
                self.push(index);
                Ok(())
            }
            Err(failed) => {
                self.free.push(index);
                Err(failed)
            }
        }
    }

    fn push(&mut self, index: u32) {
        let entry = self.slots[index as usize].entry().user_data(index.into());
        // SAFETY: the ranges, and what they refer to, stay as they are until the completion is
        // taken: `held` owns the memory, nothing else touches the slot, and if the ring is dropped
        // or forgotten before, so is the slot: not earlier than the last completion, or never.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("as many entries as slots");
        self.under_way += 1;
    }

    /// Passes the prepared transfers to the kernel.
    ///
    /// # Errors
    ///
    /// Those of `io_uring_enter(2)`: EAGAIN if the system lacks memory. The transfers stay
    /// prepared.
    pub(crate) fn submit(&mut self) -> io::Result<()> {
        while !self.ring.submission().is_empty() {
            match self.ring.submit() {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        let entry = self.ring.completion().next()?;
        self.under_way -= 1;
        Some(entry)
    }

    /// Returns a transfer that has finished, if there is one.
    pub(crate) fn take_finished(&mut self) -> Option<Finished<H>> {
        while let Some(entry) = self.next_completion() {
            let index = u32::try_from(entry.user_data()).expect("the index of a slot");
            let slot = &mut self.slots[index as usize];
            let Some(result) = slot.advance(entry.result()) else {
                self.push(index);
                self.resubmit();
                continue;
            };
            let held = slot.release();
            let position = slot.place.position;
            self.free.push(index);
            return Some(Finished { held, position, result });
        }
        None
    }

    /// Submits the rest of a transfer. No completion would wake their owner to repeat a call that
    /// fails for a moment. An error that stays is returned by the owner's next call of
    /// [`submit`](Self::submit).
    fn resubmit(&mut self) {
        while self.submit().is_err_and(|error| wait_to_repeat(error).is_ok()) {}
    }

    /// Waits for a completion, if transfers are under way or prepared.
    ///
    /// # Errors
    ///
    /// Those of `io_uring_enter(2)`.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        while self.under_way > 0 && self.ring.completion().is_empty() {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<H: HoldsBytes> AsFd for Uring<H> {
    /// Returns the descriptor of the ring, which is readable while there are completions.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring is open as long as it exists.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }
}

impl<H: HoldsBytes> Uring<H> {
    /// Waits until the kernel uses the memory of no transfer. What was not submitted never starts.
    fn finish_submitted(&mut self) -> io::Result<()> {
        loop {
            self.under_way -= self.ring.completion().count();
            if self.under_way == self.ring.submission().len() {
                return Ok(());
            }
            // SAFETY: the call submits nothing, and passes no argument.
            let waited =
                unsafe { self.ring.submitter().enter::<libc::sigset_t>(0, 1, GETEVENTS, None) };
            waited.map(drop).or_else(wait_to_repeat)?;
        }
    }
}

/// Waits for the transfers that were submitted: until then the kernel uses their memory.
impl<H: HoldsBytes> Drop for Uring<H> {
    fn drop(&mut self) {
        if let Err(error) = self.finish_submitted() {
            tracing::error!(%error, "transfers cannot be waited for; their memory stays mapped");
            mem::forget(mem::take(&mut self.slots));
        }
    }
}

/// Waits for a moment after an error of `io_uring_enter(2)`, if the call may succeed when it is
/// repeated.
///
/// # Errors
///
/// Any other error.
fn wait_to_repeat(error: io::Error) -> io::Result<()> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN | Errno::EBUSY | Errno::ENOMEM | Errno::EINTR) => {
            thread::sleep(PAUSE);
            Ok(())
        }
        _ => Err(error),
    }
}

impl<H: HoldsBytes> RingSlot<H> {
    fn empty() -> Self {
        let place = FilePosition { file: 0, position: 0 };
        RingSlot { operation: FileOperation::Sync, place, ranges: Vec::new(), first: 0, held: None }
    }

    /// Takes what owns the memory.
    fn hold(&mut self, held: H) -> Result<(), (H, H::Error)> {
        let ranges = &mut self.ranges;
        let taken = self.held.insert(held).bytes().try_for_each(|bytes| {
            // SAFETY: `held` stays in its place, and is not accessed, until `release`, which clears
            // the ranges. So the borrow of the range lasts as long as the range.
            bytes.map(|bytes| ranges.push(unsafe { bytes.detach() }))
        });
        taken.map_err(|error| (self.release(), error))
    }

    /// Returns what owns the memory.
    fn release(&mut self) -> H {
        self.ranges.clear();
        self.first = 0;
        self.held.take().expect("a transfer")
    }

    /// Returns the request for what is left.
    fn entry(&self) -> squeue::Entry {
        let FilePosition { file, position } = self.place;
        let (file, left) = (Fixed(file), &self.ranges[self.first..]);
        // `SharedBytes` is a transparent `iovec`.
        let (ranges, count) = (left.as_ptr().cast(), clamp(left.len(), MAX_RANGES));
        match (self.operation, left) {
            // The flag is required of all entries.
            (FileOperation::Nothing, _) => {
                opcode::Nop::new().build().flags(squeue::Flags::FIXED_FILE)
            }
            (FileOperation::Sync, _) => {
                opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build()
            }
            (FileOperation::Read, [bytes]) => {
                let len = clamp(bytes.len(), MAX_LEN);
                opcode::Read::new(file, bytes.start(), len).offset(position).build()
            }
            (FileOperation::Read, _) => {
                opcode::Readv::new(file, ranges, count).offset(position).build()
            }
            (FileOperation::Write, [bytes]) => {
                let len = clamp(bytes.len(), MAX_LEN);
                opcode::Write::new(file, bytes.start(), len).offset(position).build()
            }
            (FileOperation::Write, _) => {
                opcode::Writev::new(file, ranges, count).offset(position).build()
            }
        }
    }

    /// Takes the result of a request. Returns that of the transfer, unless bytes are left.
    fn advance(&mut self, result: i32) -> Option<io::Result<()>> {
        let Ok(count) = usize::try_from(result) else {
            let error = io::Error::from_raw_os_error(-result);
            return (error.kind() != io::ErrorKind::Interrupted).then_some(Err(error));
        };
        self.place.position += count as u64;
        self.first += skip(&mut self.ranges[self.first..], count);
        if self.first == self.ranges.len() {
            Some(Ok(()))
        } else if count == 0 {
            Some(Err(io::ErrorKind::UnexpectedEof.into()))
        } else {
            None
        }
    }
}

fn clamp(count: usize, most: usize) -> u32 {
    u32::try_from(count.min(most)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
