//! What a hook may touch besides its device.

use std::cell::Cell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use super::Device;
use super::calls::{Hook, LastCall, Method};
use super::clock::Clock;
use super::reports::Reports;
use crate::dma::{Dma, DmaError, DmaMessages, Fetch};
use crate::error::Result;
use crate::interrupt::{Interrupts, Irq};
use crate::model::{BusErrors, Descriptor, Slot};
use crate::pci::{CorrectableError, ErrorReport, UncorrectableError};
use crate::protocol::{IrqIndex, MigrationState};
use crate::shared::Shared;
use crate::wake::{Events, Readiness, Remote, Wakes, Watch, WatchError, Watches};

/// The world around a device: its interrupts, its client's memory, its events.
///
/// Borrowed by every hook. What a thread needs of it (an [`Irq`], [`Dma`], a [`Remote`]) is a handle
/// to take along.
pub struct Cx<'a, D: Device> {
    runtime: &'a Runtime<D::Event>,
}

/// What the runtime keeps for a device and shows it through [`Cx`].
pub(crate) struct Runtime<E> {
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) dma: Dma,
    /// By BAR.
    pub(crate) shared: [Shared; 6],
    pub(crate) events: Events<E>,
    pub(crate) wakes: Wakes,
    pub(crate) watches: Watches<E>,
    pub(crate) clock: Clock,
    /// Where it is in a migration.
    pub(crate) state: Cell<MigrationState>,
    pub(crate) reports: Reports,
    pub(crate) last_call: Arc<LastCall>,
    /// Each fetch whose event is not handled has a clone.
    fetches: Arc<()>,
}

/// How many fetches may wait for their events to be handled.
const MAX_FETCHES: usize = 16 << 10;

impl<E> Runtime<E> {
    pub(crate) fn new(descriptor: &Descriptor, clock: Clock) -> Result<Self> {
        let mut shared = [const { Shared::ABSENT }; 6];
        for (bar, shared) in (0..).zip(&mut shared) {
            *shared = Shared::new(descriptor, bar)?;
        }
        Ok(Runtime {
            interrupts: Arc::new(Interrupts::new(descriptor)),
            dma: Dma::of_device(),
            shared,
            events: Events::new()?,
            wakes: Wakes::default(),
            watches: Watches::default(),
            clock,
            state: Cell::new(MigrationState::Running),
            reports: Reports::default(),
            last_call: Arc::default(),
            fetches: Arc::new(()),
        })
    }

    /// Ends the session: what threads have obtained for the work of a guest reaches neither memory,
    /// interrupts nor the device any more.
    pub(crate) fn end_session(&self) {
        self.dma.end_session();
        self.interrupts.end_session();
        self.events.end_session();
    }

    /// What wakes the device, if anything can.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.wakes.in_use().map(|set| set.as_fd()).or_else(|| self.events.wake())
    }

    /// The shared memory of a BAR; of none if there is no such BAR.
    pub(crate) fn shared(&self, bar: u8) -> &Shared {
        static ABSENT: Shared = Shared::ABSENT;
        self.shared.get(usize::from(bar)).unwrap_or(&ABSENT)
    }
}

impl<D: Device> fmt::Debug for Cx<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").finish_non_exhaustive()
    }
}

impl<'a, D: Device> Cx<'a, D> {
    /// For a method of the device.
    pub(crate) fn new(runtime: &'a Runtime<D::Event>, method: Method) -> Self {
        runtime.last_call.method(method);
        Cx { runtime }
    }

    /// For the hook of a timer.
    pub(crate) fn of_timer(runtime: &'a Runtime<D::Event>, place: usize) -> Self {
        runtime.last_call.timer(place);
        Cx { runtime }
    }

    /// For an access, which notes the hooks of registers that it calls.
    #[inline]
    pub(crate) fn of_access(runtime: &'a Runtime<D::Event>) -> Self {
        Cx { runtime }
    }

    /// A hook of a register is about to be called.
    #[inline]
    pub(crate) fn note_hook(&self, slot: Slot, hook: Hook) {
        self.runtime.last_call.register(slot, hook);
    }

    /// The interrupt source with number `n`, from 0, as a handle for the current session: after a
    /// reset, and when the client has left, it raises nothing any more. So hand a thread a new one with
    /// each piece of work.
    ///
    /// The number may come from the guest, so that one which the device lacks is no panic and no error
    /// to handle: such a handle raises nothing, and the first use is logged with the numbers that there
    /// are. [`declared_irq`](Self::declared_irq) checks a constant when the device is compiled.
    pub fn irq(&self, n: u16) -> Irq {
        self.runtime.interrupts.irq(n)
    }

    /// Tells the client of an error that the device cannot go on after, by its eventfd for errors.
    /// One that comes before the eventfd waits for it, until a reset.
    pub fn error(&self) {
        self.runtime.interrupts.error();
    }

    /// Asks the client to let go of the device, by its eventfd for requests. What comes before the
    /// eventfd waits for it, until a reset.
    pub fn request_release(&self) {
        self.runtime.interrupts.request_release();
    }

    /// Shows errors in the status register, once the hook is over.
    pub fn bus_errors(&self, errors: BusErrors) {
        self.runtime.reports.bus_errors(errors);
    }

    /// Reports an uncorrectable error as PCI Express functions do, once the hook is over: in device
    /// status and in advanced error reporting, with the header of the packet it is about, in
    /// doublewords; zeros if it is about none. Unless software masks it or does not want to know, the
    /// client is told by its eventfd for errors.
    pub fn uncorrectable_error(&self, error: UncorrectableError, header: [u32; 4]) {
        self.runtime.reports.error(ErrorReport::Uncorrectable(error, header));
    }

    /// Reports a correctable error, once the hook is over: in device status and in advanced error
    /// reporting. The client is told nothing.
    pub fn correctable_error(&self, error: CorrectableError) {
        self.runtime.reports.error(ErrorReport::Correctable(error));
    }

    /// Signals a power management event: its status bit is set once the hook is over, if the function
    /// can wake from the state in which it is then. Clients are told nothing.
    pub fn wake(&self) {
        self.runtime.reports.wake();
    }

    /// The mask bit of a vector in the MSI-X table, which has just been written.
    pub(crate) fn mask_vector(&self, vector: u32, masked: bool) {
        self.runtime.interrupts.mask_by_guest(vector, masked);
    }

    /// A quadword of the MSI-X pending bit array.
    pub(crate) fn msix_pending(&self, quadword: usize) -> u64 {
        self.runtime.interrupts.pending(IrqIndex::Msix, quadword)
    }

    /// Where the device is in a migration;
    /// [`is_running`](MigrationState::is_running) says whether it runs.
    pub fn state(&self) -> MigrationState {
        self.runtime.state.get()
    }

    /// The client's memory. This handle is always for the current client; a clone, for a thread, is for
    /// the session in which it was made, and fails with [`DmaError::SessionEnded`] after a reset and
    /// when the client has left. So hand a thread a new clone with each piece of work.
    pub fn dma(&self) -> &Dma {
        &self.runtime.dma
    }

    /// The client's memory by messages alone, for a thread that wants the client to do its accesses.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn dma_messages(&self) -> Result<DmaMessages> {
        self.dma().transfers().prepare()?;
        Ok(DmaMessages::new(self.dma().clone()))
    }

    /// Reads `len` bytes of the client's memory at `iova`, at most 16 MiB, and posts the event that `then`
    /// makes of them. It does not wait, so it works for all memory, also for what is reached by messages,
    /// which no hook can [read](Dma::read): the event comes once the client has answered, or when it is
    /// clear that it will not. If the client leaves or the function is reset before the event is
    /// handled, it gets [`DmaError::SessionEnded`] instead of the bytes. Up to 16,384 fetches may wait
    /// for their events to be handled, and 16 MiB of memory that is reached by messages; what is more
    /// fails with [`DmaError::TooMuch`].
    ///
    /// ```
    /// use vfio_user::{Cx, Device, DmaError, PciDevice, Virtual};
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[irq(msix = 1)]
    /// struct Summer {
    ///     #[reg(0x00, ro)]
    ///     sum: u32,
    ///     #[reg(0x04, wo, write_with = Self::start)]
    ///     start: Virtual<u32>,
    /// }
    ///
    /// struct Fetched(Result<Vec<u8>, DmaError>);
    ///
    /// impl Device for Summer {
    ///     type Event = Fetched;
    ///
    ///     fn event(&mut self, cx: &mut Cx<'_, Self>, Fetched(bytes): Fetched) {
    ///         self.sum = bytes.unwrap_or_default().into_iter().map(u32::from).sum();
    ///         cx.irq(0).raise();
    ///     }
    /// }
    ///
    /// impl Summer {
    ///     fn start(&mut self, cx: &mut Cx<'_, Self>, iova: u32) {
    ///         cx.fetch(iova.into(), 64, Fetched);
    ///     }
    /// }
    /// ```
    pub fn fetch(
        &self,
        iova: u64,
        len: usize,
        then: impl FnOnce(Result<Vec<u8>, DmaError>) -> D::Event + Send + 'static,
    ) {
        let check = self.dma().session_check();
        let turn = Arc::clone(&self.runtime.fetches);
        let is_too_many = Arc::strong_count(&turn) > MAX_FETCHES;
        // Looked at when the event is delivered: what was read before a reset is not for the device
        // after it.
        let then = move |bytes: Result<Vec<u8>, DmaError>| {
            drop(turn);
            then(bytes.and_then(|bytes| check(iova).map(|()| bytes)))
        };
        let events = &self.runtime.events;
        match self.dma().fetch(iova, len) {
            _ if is_too_many => {
                events.post_later(move || then(Err(DmaError::TooMuch { iova, len })));
            }
            Fetch::Failed(error) => events.post_later(move || then(Err(error))),
            // Read when it is handled: however many wait, one of them takes memory at a time.
            Fetch::Held(held) => events.post_later(move || then(held.read())),
            Fetch::Pending(pending) => {
                let remote = self.remote();
                pending.then(move |bytes| remote.deliver(move || then(bytes)));
            }
        }
    }

    /// The memory of a BAR that is `shared`. That of any other BAR has no bytes: an access fails with
    /// [`SharedError::Outside`](crate::SharedError::Outside).
    /// [`declared_shared`](Self::declared_shared) checks a constant when the device is compiled.
    pub fn shared(&self, bar: u8) -> &Shared {
        self.runtime.shared(bar)
    }

    /// A handle by which other threads post events to this device, as long as it exists.
    pub fn remote(&self) -> Remote<D::Event> {
        self.runtime.events.remote()
    }

    /// A handle by which another thread posts events of the current session: that a piece of work is
    /// done, for example. When the session ends ([`Dma`]), events that it has posted and that have not
    /// been handled are dropped, and it fails with
    /// [`PostError::SessionEnded`](crate::PostError::SessionEnded) from then on. So the next guest is
    /// never interrupted for work that it has not asked for.
    ///
    /// ```
    /// use vfio_user::{Bench, Cx, Device, PciDevice, PostError, Remote, Virtual};
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[irq(msix = 1)]
    /// struct Worker {
    ///     #[reg(0x00, wo, write_with = Self::start)]
    ///     start: Virtual<u32>,
    ///     #[migrate(skip)]
    ///     done: Option<Remote<Done>>,
    /// }
    ///
    /// struct Done;
    ///
    /// impl Device for Worker {
    ///     type Event = Done;
    ///
    ///     fn event(&mut self, cx: &mut Cx<'_, Self>, _: Done) {
    ///         cx.irq(0).raise();
    ///     }
    /// }
    ///
    /// impl Worker {
    ///     fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
    ///         // A thread would take it along.
    ///         self.done = Some(cx.session_remote());
    ///     }
    /// }
    ///
    /// let mut bench = Bench::new(Worker::default())?;
    /// bench.write(0, 0x00, 1_u32);
    /// let done = bench.device().done.clone().expect("work is under way");
    /// bench.reset();
    /// assert!(matches!(done.post(Done), Err(PostError::SessionEnded(_))));
    /// bench.handle_events();
    /// assert_eq!(bench.take_irq(0), 0);
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    pub fn session_remote(&self) -> Remote<D::Event> {
        self.runtime.events.session_remote()
    }

    /// The time, as this device's [`Timer`](crate::Timer)s take it: the system's, but on a
    /// [`Bench`](crate::Bench), where it goes on only when it is told to.
    pub fn now(&self) -> Instant {
        self.runtime.clock.now()
    }

    /// Posts an event to this device: it is handled after the current request has been answered and
    /// before the next one. One that is posted while events are handled comes with the next turn, so
    /// that clients are served in between.
    pub fn post(&self, event: D::Event) {
        self.runtime.events.post(event);
    }

    /// Watches a descriptor of the device's own: a socket, a pipe, a terminal, an eventfd. While there is
    /// something to read, [`Device::event`] gets the event that `event` makes, once a turn of the
    /// device's thread, with its client served in between: so read there, without blocking, or
    /// [`pause`](Watch::pause). When the other end is closed that is told once.
    ///
    /// The descriptor is duplicated: the device may close its own. It is watched until the result is dropped,
    /// and while the device is stopped nothing is told. Meanwhile, the thread waits for it as well as for
    /// its client, which costs a system call a request more.
    ///
    /// ```
    /// use std::io::{Read as _, Write as _};
    /// use std::os::unix::net::UnixStream;
    /// use vfio_user::{Bench, Cx, Device, PciDevice, Readiness, Result, Watch};
    ///
    /// /// Shows what arrives at a socket.
    /// #[derive(PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[irq(msix = 1)]
    /// struct Receiver {
    ///     #[reg(0x00, ro)]
    ///     data: u8,
    ///     #[migrate(skip)]
    ///     socket: UnixStream,
    ///     #[migrate(skip)]
    ///     watch: Option<Watch>,
    /// }
    ///
    /// impl Device for Receiver {
    ///     type Event = Readiness;
    ///
    ///     fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
    ///         self.socket.set_nonblocking(true)?;
    ///         self.watch = Some(cx.watch(&self.socket, |readiness| readiness)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn event(&mut self, cx: &mut Cx<'_, Self>, _: Readiness) {
    ///         let mut data = [0];
    ///         if matches!(self.socket.read(&mut data), Ok(1)) {
    ///             self.data = data[0];
    ///             cx.irq(0).raise();
    ///         }
    ///     }
    /// }
    ///
    /// let (mut ours, theirs) = UnixStream::pair()?;
    /// let mut bench = Bench::new(Receiver { data: 0, socket: theirs, watch: None })?;
    /// ours.write_all(b"!")?;
    /// bench.handle_events();
    /// assert_eq!((bench.read::<u8>(0, 0), bench.take_irq(0)), (b'!', 1));
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`WatchError`].
    pub fn watch(
        &self,
        fd: impl AsFd,
        event: impl FnMut(Readiness) -> D::Event + Send + 'static,
    ) -> Result<Watch, WatchError> {
        let Runtime { watches, wakes, events, .. } = self.runtime;
        watches.add(wakes, events.signal(), fd.as_fd(), Box::new(event))
    }
}
