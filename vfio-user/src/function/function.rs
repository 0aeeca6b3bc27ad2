//! The trait of the functions that a server drives.

use std::fmt;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::{BackgroundWork, FunctionRecord, Handing, Migrate};
use crate::dma::{Dma, ShownPages};
use crate::error::Result;
use crate::interrupt::Interrupts;
use crate::limits::Limits;
use crate::model::{Doorbell, Region};
use crate::monitor::{Answer, Observer, Question};
use crate::parcel::{Packing, Unpacking};
use crate::protocol::{Capabilities, Command, Errno, IrqIndex, RegionIndex};
use crate::take_over::TakeOverError;

/// A PCI function as a client sees it: regions, interrupts, memory.
///
/// The server uses devices through this trait alone. [`PciFunction`](super::PciFunction) implements
/// it for every [`PciDevice`](crate::PciDevice); implement it by hand for a function whose regions
/// are not made of registers.
///
/// Migration ([`Migrate`]) and work besides the client's requests ([`BackgroundWork`]) are
/// optional: for a function that has neither, implement both traits without a method.
///
/// All methods run on one thread, and none may block for long: clients wait five seconds.
pub trait Function: Migrate + BackgroundWork + Send {
    /// Returns the name of the function in logs.
    #[expect(clippy::unnecessary_literal_bound, reason = "others borrow their names")]
    fn name(&self) -> &str {
        "function"
    }

    /// Returns the name of the hook that runs, for display by another thread, which logs it when
    /// the hook does not return. `None` if the function does not name its hooks.
    fn running_hook(&self) -> Option<Arc<dyn fmt::Display + Send + Sync>> {
        None
    }

    /// Returns the number of regions: nine, and the device specific ones.
    fn regions(&self) -> u32 {
        u32::try_from(RegionIndex::COUNT).unwrap_or(u32::MAX)
    }

    /// Returns the information on a region for clients; [`Region::ABSENT`] for a region that does
    /// not exist.
    fn region(&self, index: RegionIndex) -> Region<'_>;

    /// Reads from a region. The range lies inside the region, and the region is readable.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno>;

    /// Writes to a region. The range lies inside the region, and the region is writable.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno>;

    /// Returns whether a long access may be divided: each part is then a [`read`](Self::read) or
    /// [`write`](Self::write) of its own, in order, and other devices of the thread have their
    /// turns between parts. Called before the first part.
    ///
    /// # Errors
    ///
    /// The error that the client receives: the access is refused as a whole.
    fn divides(
        &mut self,
        region: RegionIndex,
        is_write: bool,
        range: Range<u64>,
    ) -> Result<bool, Errno> {
        let _ = (region, is_write, range);
        Ok(false)
    }

    /// Returns the doorbells of a region: writes that clients may turn into signals of eventfds.
    fn doorbells(&self, region: RegionIndex) -> Vec<Doorbell> {
        let _ = region;
        Vec::new()
    }

    /// Returns the eventfd of a doorbell, by its index in [`doorbells`](Self::doorbells). A signal
    /// of the eventfd counts as a write.
    ///
    /// # Errors
    ///
    /// Fails when the process cannot open more descriptors.
    fn doorbell_fd(&mut self, region: RegionIndex, index: usize) -> io::Result<OwnedFd> {
        let _ = (region, index);
        Err(io::ErrorKind::NotFound.into())
    }

    /// Returns the doorbells of a region with the descriptors of all of them, in libvfio-user's
    /// layout of 48 bytes, which adds memory for the written values. `None` (the default) for a
    /// function whose doorbells are those of [`doorbells`](Self::doorbells), in the layout of the
    /// specification.
    fn shadow_ioeventfds(&self, region: RegionIndex) -> Option<ShadowIoEventFds<'_>> {
        let _ = region;
        None
    }

    /// Decides whether a step may be done now. Called before every request of the client, and
    /// before the cleanup after it has left. A version cannot wait: [`Admission::Later`] admits it.
    ///
    /// A function that must finish work of its own first returns [`Admission::Later`]: the step,
    /// and everything that follows it, waits. The server asks again whenever the function's
    /// [`wake`](BackgroundWork::wake) is readable.
    fn admit(&mut self, step: Step<'_>) -> Admission {
        let _ = step;
        Admission::Now
    }

    /// Returns the pages that reports of written memory have shown behind their range, if reports
    /// fill the last word of the bitmap with such pages. `None` (the default) for reports of the
    /// range alone, as the specification says.
    fn shown_pages(&mut self) -> Option<&mut ShownPages> {
        None
    }

    /// Returns the error that answers a message which is not a valid request. `None` (the default)
    /// for what the server does otherwise, which [`InvalidMessage`] describes.
    fn invalid_message(&mut self, message: InvalidMessage) -> Option<Errno> {
        let _ = message;
        None
    }

    /// Resets everything but the client's own settings to the power-on state.
    fn reset(&mut self);

    /// Lowers what the server announces to clients; it accepts no less than before.
    fn announce(&self, capabilities: &mut Capabilities) {
        let _ = capabilities;
    }

    /// Runs when a client has attached.
    fn connected(&mut self) {}

    /// Runs when a connection has ended that has negotiated no version, for the reason in `errno`.
    fn not_connected(&mut self, errno: Errno) {
        let _ = errno;
    }

    /// Runs when the client has left; its memory and its eventfds have been removed.
    fn disconnected(&mut self) {}

    /// Runs when the function is no longer served, because its server ends or removes it. No client
    /// is attached any more.
    ///
    /// # Errors
    ///
    /// The error that the caller of the server receives.
    fn on_removed(&mut self) -> Result<()> {
        Ok(())
    }

    /// Runs when the client has mapped memory: all addresses of this range.
    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// Runs before the client unmaps all memory inside this range, which is not empty: holders of
    /// the memory should release it.
    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        let _ = range;
    }

    /// Runs when the client has set up interrupts again, except for masks of INTx.
    fn irqs_changed(&mut self) {}

    /// Runs when the client has masked or unmasked a range of vectors by message.
    fn irqs_masked(&mut self, index: IrqIndex, vectors: Range<u32>, masked: bool) {
        let _ = (index, vectors, masked);
    }

    /// Returns the interrupts.
    fn interrupts(&self) -> &Arc<Interrupts>;

    /// Returns the client's memory.
    fn dma(&self) -> &Dma;

    /// Returns whether it can be handed over to another program.
    #[doc(hidden)]
    fn handing(&self) -> Handing {
        Handing::Never("it is not derived")
    }

    /// Adds what another program needs to continue with the function, which is stopped, to a
    /// parcel.
    ///
    /// # Errors
    ///
    /// If something cannot be saved now.
    #[doc(hidden)]
    fn pack(&mut self, parcel: &mut Packing) -> Result<FunctionRecord, TakeOverError> {
        let _ = parcel;
        let (device, problem) = (self.name().to_owned(), "it is not derived");
        Err(TakeOverError::Device { device, problem })
    }

    /// Becomes what another program has packed, and stays stopped.
    ///
    /// # Errors
    ///
    /// If it cannot. The function must not be served then.
    #[doc(hidden)]
    fn unpack(&mut self, record: &FunctionRecord, parcel: &Unpacking) -> Result<(), TakeOverError> {
        let _ = (record, parcel);
        let (device, problem) = (self.name().to_owned(), "it is not derived");
        Err(TakeOverError::Device { device, problem })
    }

    /// Runs when another program serves the function from now on.
    #[doc(hidden)]
    fn handed_over(&mut self) {}

    /// Applies the limits of the socket that the function is served at.
    #[doc(hidden)]
    fn limit(&mut self, limits: Limits) {
        self.dma().limit(limits);
    }

    /// Counts accesses from now on, for a monitor.
    #[doc(hidden)]
    fn observe(&mut self) -> Option<Arc<Observer>> {
        None
    }

    /// Answers a question of a monitor, in a short time and without side effects.
    #[doc(hidden)]
    fn answer(&mut self, question: &Question) -> Answer {
        let _ = question;
        Answer::Refused("nothing of this function can be looked at".to_owned())
    }
}

/// The doorbells of a region, and their descriptors.
#[derive(Clone, Debug, Default)]
pub struct ShadowIoEventFds<'a> {
    /// The doorbells.
    pub entries: Vec<ShadowIoEventFd>,
    /// The descriptors, each once.
    pub fds: Vec<BorrowedFd<'a>>,
}

/// A [`Doorbell`] whose written values can go to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowIoEventFd {
    /// The offset of the first byte in the region.
    pub offset: u64,
    /// The size of the writes, in bytes.
    pub size: u64,
    /// The bits of [`IoFdFlags`](crate::protocol::IoFdFlags), and others that the client knows.
    pub flags: u32,
    /// The value of the writes, if the flags say that it counts.
    pub data_match: u64,
    /// The index of the eventfd; `None` for writes that signal nothing.
    pub fd: Option<usize>,
    /// The index of the memory that receives the values, and the offset in it.
    pub shadow: Option<(usize, u64)>,
}

/// A step of the server that a function may delay or refuse.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A request of the client.
    Request {
        /// Its command.
        command: Command,
        /// Its payload, as the client has sent it: nothing of it is checked yet.
        payload: &'a [u8],
    },
    /// The cleanup after the client has left: memory and eventfds are removed. It cannot be
    /// refused.
    Cleanup,
}

/// The answer of a function to a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The step is done now.
    Now,
    /// The step waits until the function admits it.
    Later,
    /// The client receives this error.
    Refused(Errno),
}

/// A message of a client that is not a valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// It claims to be smaller than its header. The server drops the client, because the start of
    /// the next message is unknown; after an answer, the next one starts behind the header.
    TooSmall,
    /// It is larger than the server accepts. The server skips its payload and answers `E2BIG`.
    TooLarge,
    /// It is a reply to none of the server's requests. The server ignores it.
    UnexpectedReply,
}
