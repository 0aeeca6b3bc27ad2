//! The client's memory for crates that use vm-memory: virtio queues, and code that is built on
//! them.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::sync::Arc;

use tracing::warn;
use vm_memory::bitmap::{BS, Bitmap, BitmapSlice, WithBitmapSlice};
use vm_memory::guest_memory::GuestMemorySliceIterator;
use vm_memory::{
    Address, GuestAddress, GuestAddressSpace, GuestMemory, GuestMemoryError, GuestMemoryMmap,
    Permissions, VolatileSlice,
};

use super::region::Region;
use super::rights::Rights;
use super::status::{Holding, Session};
use super::table::{Piece, Table};
use super::{Dma, DmaError, SessionDma};
use crate::log_throttle::LogThrottle;
use crate::sys::volatile_slice;

/// A snapshot of all memory of the client, as [`GuestMemory`].
///
/// [`Dma::memory`] returns one, and a [`SessionDma`] is a [`GuestAddressSpace`]. While it exists,
/// all its memory stays mapped, and an unmap by the client waits. So take one to process a queue,
/// and drop it afterwards.
///
/// The snapshot enforces rights and marks written pages dirty. Memory that is not mapped (because
/// it is accessed by file I/O or by messages) has no slice: the error is
/// [`HostAddressNotAvailable`](GuestMemoryError::HostAddressNotAvailable). Slices read zeros where
/// the client has truncated its file meanwhile.
///
/// ```
/// use vfio_user::Dma;
/// use vm_memory::{Bytes, GuestAddress, GuestMemoryError};
///
/// fn checksum(dma: &Dma, iova: u64) -> Result<u8, GuestMemoryError> {
///     let mut bytes = [0; 64];
///     dma.memory().read_slice(&mut bytes, GuestAddress(iova))?;
///     Ok(bytes.iter().fold(0, |sum, byte| sum ^ byte))
/// }
/// ```
#[derive(Clone)]
pub struct DmaSnapshot {
    /// Or the reason why there is none.
    table: Result<Arc<Table>, Closed>,
    _holding: Option<Holding>,
}

/// Why a handle has no memory.
#[derive(Clone, Copy)]
enum Closed {
    NotBusMaster,
    SessionEnded,
}

impl Closed {
    fn at(self, iova: u64) -> DmaError {
        match self {
            Closed::NotBusMaster => DmaError::NotBusMaster { iova },
            Closed::SessionEnded => DmaError::SessionEnded { iova },
        }
    }
}

impl fmt::Debug for DmaSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmaSnapshot").finish_non_exhaustive()
    }
}

impl GuestAddressSpace for SessionDma {
    type M = DmaSnapshot;
    type T = Arc<DmaSnapshot>;

    fn memory(&self) -> Arc<DmaSnapshot> {
        Dma::memory(self)
    }
}

impl Dma {
    /// Returns all memory of the client, for code that is built on vm-memory.
    pub fn memory(&self) -> Arc<DmaSnapshot> {
        let table = match self.table(0) {
            Ok(table) => Ok(table.into_arc()),
            Err(DmaError::NotBusMaster { .. }) => Err(Closed::NotBusMaster),
            Err(_) => Err(Closed::SessionEnded),
        };
        let holding = table.as_ref().ok().map(|table: &Arc<Table>| table.holding().clone());
        Arc::new(DmaSnapshot { table, _holding: holding })
    }
}

impl GuestMemory for DmaSnapshot {
    /// Never present: addresses of the device are not physical ones.
    type PhysicalMemory = GuestMemoryMmap;
    type Bitmap = DirtyMarks;

    fn check_range(&self, addr: GuestAddress, count: usize, access: Permissions) -> bool {
        let slices = self.get_slices(addr, count, access);
        slices.is_ok_and(|mut slices| slices.all(|slice| slice.is_ok()))
    }

    fn get_slices(
        &self,
        addr: GuestAddress,
        count: usize,
        access: Permissions,
    ) -> Result<impl GuestMemorySliceIterator<'_, BS<'_, DirtyMarks>>, GuestMemoryError> {
        let wanted = rights(access);
        let table = self.table.as_ref().map_err(|closed| closed.at(addr.raw_value()))?;
        let pieces = table.pieces(addr.raw_value(), count)?;
        let slices = pieces.map(move |piece| slice(piece?, table.session(), wanted));
        Ok(Slices { slices: Some(slices) })
    }
}

fn slice(
    piece: Piece<'_>,
    session: Session,
    wanted: Rights,
) -> Result<VolatileSlice<'_, DirtyMark<'_>>, GuestMemoryError> {
    let Piece { region, offset, len } = piece;
    region.status().check(session, region.first() + offset)?;
    region.check(offset, wanted)?;
    region.note_direct();
    let (mapping, at) = region.place(offset).inspect_err(warn_of_unmapped)?;
    Ok(volatile_slice(mapping, at, len, DirtyMark { region, start: offset }))
}

/// Logs an error that callers of vm-memory often drop, after which a queue silently does not work.
fn warn_of_unmapped(error: &DmaError) {
    static FAILED: LogThrottle = LogThrottle::new();
    if matches!(error, DmaError::NotMapped { .. })
        && let Some(count) = FAILED.hit()
    {
        warn!(
            %error,
            count,
            "vm-memory needs mapped memory: the client must share its memory as a descriptor that \
             can be mapped"
        );
    }
}

fn rights(access: Permissions) -> Rights {
    let mut rights = Rights::empty();
    rights.set(Rights::READ, access.allow(Permissions::Read));
    rights.set(Rights::WRITE, access.allow(Permissions::Write));
    rights
}

/// The slices up to the first error.
struct Slices<I> {
    slices: Option<I>,
}

impl<T, E, I: Iterator<Item = Result<T, E>>> Iterator for Slices<I> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.slices.as_mut()?.next();
        if !matches!(next, Some(Ok(_))) {
            self.slices = None;
        }
        next
    }
}

impl<T, E, I: Iterator<Item = Result<T, E>>> FusedIterator for Slices<I> {}

impl<'a, B: BitmapSlice, I> GuestMemorySliceIterator<'a, B> for Slices<I> where
    I: Iterator<Item = Result<VolatileSlice<'a, B>, GuestMemoryError>>
{
}

impl From<DmaError> for GuestMemoryError {
    fn from(error: DmaError) -> Self {
        match error {
            DmaError::Unmapped { iova } => Self::InvalidGuestAddress(GuestAddress(iova)),
            DmaError::Wraps { .. } => Self::GuestAddressOverflow,
            DmaError::MessageMode { .. } | DmaError::NotMapped { .. } => {
                Self::HostAddressNotAvailable
            }
            DmaError::NotReadable { .. } | DmaError::NotWritable { .. } => {
                Self::IOError(io::Error::new(io::ErrorKind::PermissionDenied, error))
            }
            error => Self::IOError(io::Error::other(error)),
        }
    }
}

/// Marks the pages that are written through a [`DmaSnapshot`]. It has no instance of its own, only
/// slices.
#[derive(Debug)]
pub enum DirtyMarks {}

/// Marks the pages that are written through a slice.
#[derive(Clone, Debug)]
pub struct DirtyMark<'a> {
    region: &'a Region,
    /// From the start of the region.
    start: u64,
}

impl<'a> WithBitmapSlice<'a> for DirtyMarks {
    type S = DirtyMark<'a>;
}

impl Bitmap for DirtyMarks {
    fn mark_dirty(&self, _offset: usize, _len: usize) {
        match *self {}
    }

    fn dirty_at(&self, _offset: usize) -> bool {
        match *self {}
    }

    fn slice_at(&self, _offset: usize) -> DirtyMark<'_> {
        match *self {}
    }
}

impl WithBitmapSlice<'_> for DirtyMark<'_> {
    type S = Self;
}

impl BitmapSlice for DirtyMark<'_> {}

impl Bitmap for DirtyMark<'_> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        let start = self.start + offset as u64;
        // No caller writes beyond the region, but any caller may claim to.
        let rest = (self.region.last() - self.region.first() + 1).saturating_sub(start);
        self.region.mark_dirty(start, rest.min(len as u64));
    }

    /// Always `false`: only the client reads the log.
    fn dirty_at(&self, _offset: usize) -> bool {
        false
    }

    fn slice_at(&self, offset: usize) -> Self {
        DirtyMark { region: self.region, start: self.start + offset as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use vm_memory::Bytes;

    use crate::dma::{Accepted, AccessMode, NewRegion, Report};

    const PAGE: u64 = 0x1000;

    fn file() -> File {
        let file = File::from(memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap());
        file.set_len(4 * PAGE).unwrap();
        file
    }

    fn add(dma: &Dma, iova: u64, rights: Rights, access: AccessMode) -> File {
        let file = file();
        let fd = OwnedFd::from(file.try_clone().unwrap()).into();
        dma.add(NewRegion::file(iova, PAGE, rights, fd, 0, access, Accepted::InMemory).unwrap())
            .unwrap();
        file
    }

    fn dma() -> Dma {
        let dma = Dma::default();
        add(&dma, 0, Rights::all(), AccessMode::Any);
        add(&dma, PAGE, Rights::READ, AccessMode::Any);
        add(&dma, 2 * PAGE, Rights::WRITE, AccessMode::Any);
        add(&dma, 4 * PAGE, Rights::all(), AccessMode::FileIo);
        dma.add(NewRegion::messages(5 * PAGE, PAGE, Rights::all()).unwrap()).unwrap();
        dma
    }

    #[test]
    fn rights_are_enforced() {
        let memory = dma().memory();
        let allowed = |page: u64, access| memory.check_range(GuestAddress(page * PAGE), 8, access);
        let all = [Permissions::Read, Permissions::Write, Permissions::ReadWrite];
        let table = [0, 1, 2, 3, 4, 5].map(|page| all.map(|access| allowed(page, access)));
        assert_eq!(table[0], [true; 3]);
        assert_eq!(table[1], [true, false, false]);
        assert_eq!(table[2], [false, true, false]);
        assert_eq!(table[3..], [[false; 3]; 3]);
        let written = memory.write_obj(1_u32, GuestAddress(PAGE));
        assert!(matches!(written, Err(GuestMemoryError::IOError(_))), "{written:?}");
    }

    #[test]
    fn accesses_span_regions_and_end_where_memory_does() {
        let memory = dma().memory();
        let mut bytes = [9; 16];
        memory.write_obj(0x0102_0304_u32, GuestAddress(PAGE - 4)).unwrap();
        memory.read_slice(&mut bytes, GuestAddress(PAGE - 4)).unwrap();
        assert_eq!(bytes, [&[4, 3, 2, 1], &[0; 12][..]].concat()[..]);
        assert_eq!(memory.read(&mut bytes, GuestAddress(2 * PAGE - 4)).unwrap(), 4);
        let missing = memory.read(&mut bytes, GuestAddress(3 * PAGE));
        assert!(matches!(missing, Err(GuestMemoryError::InvalidGuestAddress(_))));
        let beyond = memory.read(&mut bytes, GuestAddress(u64::MAX));
        assert!(matches!(beyond, Err(GuestMemoryError::GuestAddressOverflow)));
        for page in [4, 5] {
            let unreachable = memory.read(&mut bytes, GuestAddress(page * PAGE));
            assert!(matches!(unreachable, Err(GuestMemoryError::HostAddressNotAvailable)));
        }
        assert_eq!(memory.read(&mut [], GuestAddress(3 * PAGE)).unwrap(), 0);
    }

    #[test]
    fn what_is_written_is_marked() {
        let dma = dma();
        dma.start_logging();
        let memory = dma.memory();
        memory.read_obj::<u64>(GuestAddress(0)).unwrap();
        let report = || {
            let mut report = Report::new(0, PAGE, 8);
            while dma.sweep(0, 64 * PAGE - 1).report(&mut report) {}
            report.bitmap()[0]
        };
        assert_eq!(report(), 0);
        memory.write_obj(1_u64, GuestAddress(8)).unwrap();
        assert_eq!(report(), 1);
        memory.store(1_u32, GuestAddress(2 * PAGE), std::sync::atomic::Ordering::SeqCst).unwrap();
        assert_eq!(report(), 4);
    }

    #[test]
    fn a_snapshot_holds_its_memory() {
        let dma = dma();
        let memory = dma.memory();
        let unmap = dma.take(0, u64::MAX).unwrap();
        assert!(!unmap.is_released());
        memory.write_obj(1_u64, GuestAddress(0)).unwrap();
        assert!(dma.memory().read_obj::<u64>(GuestAddress(0)).is_err());
        drop(memory);
        assert!(unmap.is_released());
    }

    #[test]
    fn a_snapshot_ends_with_its_session() {
        let dma = Dma::of_device();
        let file = add(&dma, 0, Rights::all(), AccessMode::Any);
        let (handle, memory) = (dma.for_session(), dma.memory());
        memory.write_obj(1_u64, GuestAddress(0)).unwrap();
        dma.end_session();
        let has_ended = |memory: &DmaSnapshot| {
            for written in [
                memory.write_obj(2_u64, GuestAddress(0)),
                memory.read_obj::<u64>(GuestAddress(8)).map(drop),
            ] {
                let Err(GuestMemoryError::IOError(error)) = written else { panic!("{written:?}") };
                let error = error.get_ref().and_then(|error| error.downcast_ref::<DmaError>());
                assert!(matches!(error, Some(DmaError::SessionEnded { .. })));
            }
            assert!(!memory.check_range(GuestAddress(0), 8, Permissions::Read));
        };
        has_ended(&memory);
        has_ended(&handle.memory());
        dma.memory().write_obj(3_u8, GuestAddress(8)).unwrap();
        let mut bytes = [0; 9];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn a_snapshot_of_a_session_that_has_ended_is_waited_for() {
        let dma = Dma::of_device();
        add(&dma, 0, Rights::all(), AccessMode::Any);
        let memory = dma.memory();
        assert!(dma.has_holders());
        let copy = DmaSnapshot::clone(&memory);
        drop(memory);
        dma.end_session();
        assert!(dma.has_holders());
        add(&dma, 8 * PAGE, Rights::all(), AccessMode::Any);
        assert!(dma.has_holders());
        drop(copy);
        assert!(!dma.has_holders());
        let _kept = dma.memory();
        dma.disconnect();
        assert!(!dma.has_holders(), "of another client");
    }

    #[test]
    fn a_truncated_file_is_no_signal() {
        let dma = Dma::default();
        let file = add(&dma, 0, Rights::all(), AccessMode::Any);
        let memory = dma.memory();
        file.set_len(0).unwrap();
        assert_eq!(memory.read_obj::<u64>(GuestAddress(0)).unwrap(), 0);
        let lost = memory.read_obj::<u64>(GuestAddress(0));
        assert!(matches!(lost, Err(GuestMemoryError::IOError(_))), "reported the next time");
    }
}
