//! The client's memory as the device accesses it: by IOVA.

mod address_space;
mod backing;
mod chain;
mod changes;
mod error;
mod fetch;
mod file;
#[cfg(feature = "io-uring")]
mod file_queue;
mod file_transfer;
mod guard;
mod hand_over;
mod held;
mod hint;
mod holding;
mod incoming_file;
mod leftovers;
mod log;
mod messages;
mod pause;
mod region;
mod rights;
mod ring;
mod scatter_list;
mod segment;
mod session_dma;
mod shadow_doorbells;
mod status;
mod table;
mod tapped;
mod transfers;
mod unmap;
#[cfg(feature = "vm-memory")]
mod vm;
mod words;

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub use error::DmaError;
pub(crate) use fetch::Fetch;
pub(crate) use file::AccessMode;
#[cfg(feature = "io-uring")]
pub use file_queue::{FileQueue, FileQueueError, FileQueueFull};
pub use file_transfer::FileTransferError;
pub use guard::DmaGuard;
pub(crate) use hand_over::ClientRegion;
pub(crate) use incoming_file::Accepted;
pub(crate) use leftovers::Leftovers;
pub use log::ShownPages;
pub(crate) use log::{Report, Sweep};
pub use messages::DmaMessages;
pub(crate) use region::{NewRegion, Outline, last_address};
pub(crate) use rights::Rights;
pub use ring::Ring;
pub use scatter_list::ScatterList;
pub use segment::DmaSegment;
pub use session_dma::SessionDma;
pub use shadow_doorbells::ShadowDoorbells;
pub(crate) use table::Remains;
pub(crate) use transfers::{Completed, PostedWrites, Transfers};
pub(crate) use unmap::PendingUnmap;
#[cfg(feature = "vm-memory")]
pub use vm::{DirtyMark, DirtyMarks, DmaSnapshot};

use crate::tape::Tap;
use changes::Changes;
use held::HeldTable;
use hint::Hint;
use status::{Session, Status};
use table::Table;

/// Accesses longer than this hold the regions that they touch, and no other ones.
const SHORT: usize = 64 << 10;

/// Access to the memory that the client has mapped for the device.
///
/// Addresses are I/O virtual addresses, which the guest's driver programs into the device. No
/// access waits while the client maps or unmaps other memory.
///
/// This is the device's own handle. It works in every session, and hooks use it while the device is
/// stopped. Threads use a [`SessionDma`], which [`for_session`](Self::for_session) returns.
///
/// # Sessions
///
/// A session ends when the client leaves, when the function is reset by any kind of reset, and when
/// other state is loaded. A [`SessionDma`] belongs to the session in which it was made, and so do
/// the guards, fetches and queued writes that were obtained through it. Once that session has ended
/// they fail with [`DmaError::SessionEnded`], whatever is mapped at these addresses by then; a
/// thread need not check. The handle that hooks get from [`Cx::dma`](crate::Cx::dma) always belongs
/// to the current session, so give a thread a handle of its session with every piece of work:
///
/// ```
/// use vfio_user::{Cx, Device, DmaError, SessionDma};
/// use std::sync::mpsc::Sender;
///
/// struct Job {
///     dma: SessionDma,
///     iova: u64,
/// }
///
/// fn submit<D: Device>(cx: &Cx<'_, D>, worker: &Sender<Job>, iova: u64) {
///     // A worker that has ended takes no more.
///     let _ = worker.send(Job { dma: cx.dma().for_session(), iova });
/// }
///
/// fn perform(job: &Job) {
///     match job.dma.fill(job.iova, 512, 0) {
///         Err(error) if error.is_interruption() => {} // The guest no longer waits for it.
///         done => report(done),
///     }
/// }
/// # fn report(_: Result<(), DmaError>) {}
/// ```
///
/// A handle made before the first client connects belongs to that client's session.
///
/// The exception is memory that is accessed without these handles: through an
/// [address](DmaSegment::address) or a [file](DmaSegment::file) of a segment, or through a slice
/// that vm-memory took from a snapshot before. These still reach the old client's memory while the
/// segment or snapshot exists. A reset waits until it is dropped; a client that leaves does not.
///
/// # Memory that is accessed by messages
///
/// If the client maps memory without a descriptor, only the client can read and write it, on
/// request. Threads of the device wait for the answer, as they wait for a file: five seconds for a
/// client that does not answer, at most ten.
///
/// A hook cannot wait for the client, because the client waits for the hook. A read fails there
/// ([`DmaError::MessageMode`]), but [`Cx::fetch`](crate::Cx::fetch) posts an event with the data. A
/// write is queued, up to 16 MiB in total, and is sent after the answer to the client; an interrupt
/// that is raised afterwards waits for it. A write that the client then refuses is lost, and
/// logged.
///
/// A thread that runs the server by [`Server::process`](crate::Server::process) must not wait
/// outside of hooks either, because no other thread would receive the answer.
///
/// # The guest
///
/// The memory belongs to the guest, which may change it at any time: two reads of the same bytes
/// may differ. An access that is larger than 8 bytes, or not aligned to its size, is not done in
/// one piece.
#[derive(Debug, Default)]
pub struct Dma {
    shared: Arc<Shared>,
    /// A hint of this handle: threads with a handle each access different places.
    hint: Hint,
    /// The session of the handle; `None` for the device's own, which works in every session.
    session: Option<Session>,
    /// Whether hooks use it: a pause blocks threads, but not hooks.
    is_own: bool,
    /// The table of its accesses; `None` for the current one.
    held: Option<HeldTable>,
}

#[derive(Debug, Default)]
struct Shared {
    table: ArcSwap<Table>,
    /// The number of times that the table was replaced.
    version: AtomicU64,
    status: Arc<Status>,
    /// Transfers of memory that is accessed by messages.
    transfers: Arc<Transfers>,
    /// Held while the table is changed.
    changes: Mutex<Changes>,
    /// What records the device, or replays it.
    tap: OnceLock<Arc<dyn Tap>>,
}

impl Dma {
    /// Creates an empty address space, and the handle for the hooks of a
    /// [`Function`](crate::function::Function) that is not derived. Unlike other handles it also
    /// works while the function is stopped.
    pub fn of_device() -> Self {
        Dma { is_own: true, ..Dma::default() }
    }

    /// Returns another handle for the hooks of the device.
    pub(crate) fn own(&self) -> Self {
        Dma { shared: Arc::clone(&self.shared), ..Self::of_device() }
    }

    /// Returns a handle for threads, of the current session: of its own session, if called on a
    /// [`SessionDma`].
    pub fn for_session(&self) -> SessionDma {
        SessionDma::of(self)
    }

    /// Returns a handle of the current session that reaches memory by messages alone, however the
    /// client has mapped it.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn messages(&self) -> io::Result<DmaMessages> {
        self.transfers().prepare()?;
        Ok(DmaMessages::new(self.for_session()))
    }

    /// Reads `data.len()` bytes at `iova`; the range may span adjacent regions.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; nothing has been read then, unless the client truncated its file meanwhile or
    /// the read was done by messages.
    pub fn read(&self, iova: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let table = self.table(iova)?;
        if let Some((region, offset)) = table.short(iova, data.len(), &self.hint) {
            region.check(offset, Rights::READ)?;
            return region.read(table.session(), offset, data);
        }
        let held = table.hold(iova, data.len(), Rights::READ)?;
        drop(table);
        held.expect_readable_now()?;
        held.read(0, data)
    }

    /// Writes `data` at `iova`; the range may span adjacent regions.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; nothing has been written then, unless the client truncated its file meanwhile
    /// or the write was done by messages. Of those, the client may carry out some after the error.
    pub fn write(&self, iova: u64, data: &[u8]) -> Result<(), DmaError> {
        let table = self.table(iova)?;
        if let Some((region, offset)) = table.short(iova, data.len(), &self.hint) {
            region.check(offset, Rights::WRITE)?;
            return region.write(table.session(), offset, data);
        }
        let held = table.hold(iova, data.len(), Rights::WRITE)?;
        drop(table);
        held.write(0, data)
    }

    /// Reads an object at `iova`.
    ///
    /// ```
    /// # use vfio_user::{Dma, DmaError};
    /// use vfio_user::zerocopy::{FromBytes, IntoBytes, little_endian::{U32, U64}};
    ///
    /// #[derive(FromBytes, IntoBytes)]
    /// #[zerocopy(crate = "vfio_user::zerocopy")]
    /// #[repr(C)]
    /// struct Descriptor {
    ///     address: U64,
    ///     len: U32,
    ///     flags: U32,
    /// }
    ///
    /// fn fetch(dma: &Dma, iova: u64) -> Result<Descriptor, DmaError> {
    ///     dma.read_obj(iova)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_obj<T: FromBytes + IntoBytes>(&self, iova: u64) -> Result<T, DmaError> {
        let mut object = T::new_zeroed();
        self.read(iova, object.as_mut_bytes())?;
        Ok(object)
    }

    /// Reads `count` objects that follow each other, for example the entries of a list of pages.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_objs<T: FromBytes + IntoBytes>(
        &self,
        iova: u64,
        count: usize,
    ) -> Result<Vec<T>, DmaError> {
        let mut objects: Vec<T> = (0..count).map(|_| T::new_zeroed()).collect();
        self.read(iova, objects.as_mut_bytes())?;
        Ok(objects)
    }

    /// Writes an object at `iova`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_obj<T: IntoBytes + Immutable + ?Sized>(
        &self,
        iova: u64,
        object: &T,
    ) -> Result<(), DmaError> {
        self.write(iova, object.as_bytes())
    }

    /// Writes `byte` to every byte of a range.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn fill(&self, iova: u64, len: usize, byte: u8) -> Result<(), DmaError> {
        let held = self.table(iova)?.hold(iova, len, Rights::WRITE)?;
        let bytes = [byte; 4096];
        let mut at = 0;
        while at < len {
            let part = bytes.len().min(len - at);
            held.write(at as u64, &bytes[..part])?;
            at += part;
        }
        Ok(())
    }

    /// Marks `len` bytes at `iova` as written by other means: through an
    /// [address](DmaSegment::address), or by other hardware. A client that migrates the guest
    /// requests the written pages. Every write through `Dma` and its guards is marked
    /// automatically; a write by other means must be marked when it is done. Unmapped addresses are
    /// ignored.
    pub fn mark_dirty(&self, iova: u64, len: u64) {
        if len == 0 || !self.shared.status.notes_writes() || self.live_table().is_none() {
            return;
        }
        let last = iova.saturating_add(len - 1);
        // Without the lock, because the range may be large.
        let table = self.mapped(&self.changes());
        for region in table.overlapping(iova, last) {
            let (first, last) = (iova.max(region.first()), last.min(region.last()));
            region.mark_dirty(first - region.first(), last - first + 1);
        }
    }

    /// Counts the bytes of accesses from now on.
    pub(crate) fn count_bytes(&self) {
        self.shared.status.count_bytes();
    }

    /// Returns the bytes that accesses have read, and written.
    pub(crate) fn counted_bytes(&self) -> (u64, u64) {
        self.shared.status.counted()
    }

    /// Returns the transfers of memory that is accessed by messages.
    pub(crate) fn transfers(&self) -> &Arc<Transfers> {
        &self.shared.transfers
    }

    /// Returns whether threads other than the device's own can use it.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.shared) > 1 || self.transfers().is_shared()
    }
}
