//! The context that hooks receive besides their device.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use super::Device;
use super::calls::{Entered, Hook, RunningCall};
use super::clock::Clock;
use super::reports::Reports;
use super::reset_values::ResetValues;
use super::soft_resets::SoftResets;
use crate::dma::{Dma, DmaError, DmaMessages, Fetch};
use crate::error::Result;
use crate::interrupt::{InterruptMode, Interrupts, Irq};
use crate::model::{BusErrors, CommandBits, Slot};
use crate::monitor::Observer;
use crate::pci::{CorrectableError, ErrorReport, UncorrectableError};
use crate::protocol::{IrqIndex, MigrationState};
use crate::shared::Shared;
use crate::wake::{Doorbells, Events, Readiness, Remote, WakeSet, Watch, WatchError, Watches};

/// The context of a hook: the device's interrupts, its client's memory, its events.
///
/// Every hook borrows it. Threads use handles that it returns: an [`Irq`], [`Dma`], a [`Remote`].
pub struct Cx<'a, D: Device> {
    runtime: &'a Runtime<D::Event>,
}

/// What the runtime keeps for a device and exposes through [`Cx`].
pub(crate) struct Runtime<E> {
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) dma: Dma,
    /// By BAR.
    pub(crate) shared: [Shared; 6],
    pub(crate) events: Events<E>,
    pub(crate) wake_set: WakeSet,
    /// Borrowed while no hook runs, or by one call of a hook.
    pub(crate) doorbells: RefCell<Doorbells>,
    pub(crate) watches: Watches<E>,
    pub(crate) clock: Clock,
    /// The state of the migration.
    pub(crate) migration_state: Cell<MigrationState>,
    pub(crate) reports: Reports,
    /// The command register.
    pub(crate) command: Cell<CommandBits>,
    pub(crate) resets: ResetValues,
    pub(crate) soft: SoftResets,
    pub(crate) running: Arc<RunningCall>,
    /// Counts accesses, for a monitor.
    pub(crate) observer: Option<Arc<Observer>>,
    /// Each fetch whose event is not yet handled holds a clone.
    fetches: Arc<()>,
}

impl<E> Runtime<E> {
    pub(crate) fn new(resets: ResetValues, clock: Clock) -> Result<Self> {
        let descriptor = resets.descriptor();
        let mut shared = [const { Shared::ABSENT }; 6];
        for (bar, shared) in (0..).zip(&mut shared) {
            *shared = Shared::new(descriptor, bar)?;
        }
        Ok(Runtime {
            interrupts: Arc::new(Interrupts::new(descriptor)),
            dma: Dma::of_device(),
            shared,
            events: Events::new()?,
            wake_set: WakeSet::default(),
            doorbells: RefCell::new(Doorbells::new(descriptor)),
            watches: Watches::default(),
            clock,
            migration_state: Cell::new(MigrationState::Running),
            reports: Reports::default(),
            command: Cell::default(),
            soft: SoftResets::default(),
            running: Arc::default(),
            observer: None,
            fetches: Arc::new(()),
            resets,
        })
    }

    /// Ends the session: handles that threads have obtained for the work of a guest no longer reach
    /// memory, interrupts or the device, and no doorbell reaches threads.
    pub(crate) fn end_session(&self) {
        self.doorbells.borrow_mut().take_back();
        self.dma.end_session();
        self.interrupts.end_session();
        self.events.end_session();
    }

    /// Counts accesses and calls from now on. No call runs.
    pub(crate) fn observe(&mut self, observer: &Arc<Observer>) {
        self.running = Arc::new(RunningCall::observed(Arc::clone(observer)));
        self.observer = Some(Arc::clone(observer));
        self.dma.count_bytes();
    }

    /// Returns the descriptor that wakes the device, if there is one.
    pub(crate) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.wake_set.in_use().map(|set| set.as_fd()).or_else(|| self.events.wake())
    }

    /// Returns the shared memory of a BAR; an absent one if there is no such BAR.
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
    /// Creates a context. The code that passes it to a hook enters the hook in
    /// [`Runtime::running`].
    #[inline]
    pub(crate) fn new(runtime: &'a Runtime<D::Event>) -> Self {
        Cx { runtime }
    }

    /// Returns what the runtime keeps for the device.
    #[inline]
    pub(crate) fn runtime(&self) -> &'a Runtime<D::Event> {
        self.runtime
    }

    /// Notes that a hook of a register runs, until the result is dropped.
    #[inline]
    pub(crate) fn enter_hook(&self, slot: Slot, hook: Hook) -> Entered<'a> {
        self.runtime.running.register(slot, hook)
    }

    /// Notes that the device computes the status of a composed interrupt, until the result is
    /// dropped.
    pub(crate) fn enter_status(&self, slot: Slot) -> Entered<'a> {
        self.runtime.running.status(slot)
    }

    /// Notes that the hook of a memory runs, until the result is dropped.
    pub(crate) fn enter_memory_hook(&self, index: usize) -> Entered<'a> {
        self.runtime.running.memory(index)
    }

    /// Returns interrupt source `n`, counted from 0, as a handle for the current session.
    ///
    /// After a reset, or once the client has left, the handle raises nothing. So hand a thread a
    /// new one with each piece of work.
    ///
    /// The number may come from the guest, so a number that the device lacks is neither a panic nor
    /// an error: such a handle raises nothing, and its first use is logged with the numbers that
    /// exist. [`declared_irq`](Self::declared_irq) checks a constant when the device is compiled.
    pub fn irq(&self, n: u16) -> Irq {
        self.runtime.interrupts.irq(n)
    }

    /// Returns how interrupts are delivered now: by the line, or by how many messages.
    ///
    /// A device with one vector for each queue shares vectors if the guest has enabled fewer. The
    /// mode changes when the guest writes the control word of MSI or MSI-X, and when the client
    /// assigns eventfds ([`Device::irqs_changed`]).
    pub fn interrupt_mode(&self) -> InterruptMode {
        self.runtime.interrupts.mode()
    }

    /// Returns the bits of the command register that the guest has set;
    /// [`Device::command_changed`] runs when they change.
    pub fn command(&self) -> CommandBits {
        self.runtime.command.get()
    }

    /// Signals an unrecoverable device error to the client, by its eventfd for errors.
    ///
    /// An error that is signalled before the client assigns the eventfd stays pending until then,
    /// or until a reset.
    pub fn signal_err(&self) {
        self.runtime.interrupts.signal_err();
    }

    /// Requests that the client releases the device, by its eventfd for requests.
    ///
    /// A request that is signalled before the client assigns the eventfd stays pending until then,
    /// or until a reset.
    pub fn request_release(&self) {
        self.runtime.interrupts.request_release();
    }

    /// Sets errors in the status register when the hook returns.
    pub fn bus_errors(&self, errors: BusErrors) {
        self.runtime.reports.bus_errors(errors);
    }

    /// Reports an uncorrectable error as PCI Express functions do, when the hook returns.
    ///
    /// The error is shown in device status and in advanced error reporting, with the header of the
    /// packet that caused it, in doublewords; pass zeros if no packet did. The client's eventfd for
    /// errors is signalled unless software masks the error or disables its reporting.
    pub fn uncorrectable_error(&self, error: UncorrectableError, header: [u32; 4]) {
        self.runtime.reports.error(ErrorReport::Uncorrectable(error, header));
    }

    /// Reports a correctable error when the hook returns: in device status and in advanced error
    /// reporting. The client is not notified.
    pub fn correctable_error(&self, error: CorrectableError) {
        self.runtime.reports.error(ErrorReport::Correctable(error));
    }

    /// Signals a power management event: sets its status bit when the hook returns, if the function
    /// can wake from the state in which it is then. The client is not notified.
    pub fn signal_pme(&self) {
        self.runtime.reports.wake();
    }

    /// Applies the mask bit of a vector in the MSI-X table, which has just been written.
    pub(crate) fn mask_vector(&self, vector: u32, masked: bool) {
        self.runtime.interrupts.mask_by_guest(vector, masked);
    }

    /// Returns a quadword of the MSI-X pending bit array.
    pub(crate) fn msix_pending(&self, quadword: usize) -> u64 {
        self.runtime.interrupts.pending(IrqIndex::Msix, quadword)
    }

    /// Returns the device's migration state; [`is_running`](MigrationState::is_running) returns
    /// whether it runs.
    pub fn migration_state(&self) -> MigrationState {
        self.runtime.migration_state.get()
    }

    /// Returns the client's memory.
    ///
    /// This handle always reaches the current client. A thread uses a
    /// [`SessionDma`](crate::SessionDma) of [`Dma::for_session`], which fails with
    /// [`DmaError::SessionEnded`] after a reset or once the client has left. So pass a thread a new
    /// one with each piece of work.
    pub fn dma(&self) -> &Dma {
        &self.runtime.dma
    }

    /// Returns a handle that reaches the client's memory by messages alone, for a thread whose
    /// accesses the client has to perform.
    ///
    /// # Errors
    ///
    /// Fails when the process cannot open more descriptors.
    pub fn dma_messages(&self) -> Result<DmaMessages> {
        Ok(self.dma().messages()?)
    }

    /// Reads `len` bytes of the client's memory at `iova`, at most 16 MiB, and posts the event that
    /// `then` returns for them.
    ///
    /// It does not block, so it works for all memory, including memory that is reached by messages,
    /// which no hook can [read](Dma::read): the event is posted once the client has answered, or
    /// when it is certain that it will not. If the client leaves or the function is reset before
    /// the event is handled, `then` receives [`DmaError::SessionEnded`] instead of the bytes. Up to
    /// [`Limits`](crate::Limits) says how many fetches may have unhandled events, and how much
    /// memory may be read by messages at a time; further fetches fail with [`DmaError::TooMuch`].
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
        // Besides the runtime's own, each has one.
        let is_too_many = Arc::strong_count(&turn) - 1 > self.dma().limits().fetches;
        // Checked when the event is delivered: bytes that were read before a reset must not reach
        // the device after it.
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
            // Read when the event is handled: however many fetches wait, only one at a time uses
            // memory.
            Fetch::Held(held) => events.post_later(move || then(held.read())),
            Fetch::Pending(pending) => {
                let remote = self.remote();
                pending.then(move |bytes| remote.deliver(move || then(bytes)));
            }
        }
    }

    /// Returns the memory of a BAR that is `shared`.
    ///
    /// The memory of any other BAR has no bytes: an access fails with
    /// [`SharedError::Outside`](crate::SharedError::Outside).
    /// [`declared_shared`](Self::declared_shared) checks a constant when the device is compiled.
    pub fn shared(&self, bar: u8) -> &Shared {
        self.runtime.shared(bar)
    }

    /// Returns a handle by which other threads post events to this device, as long as it exists.
    pub fn remote(&self) -> Remote<D::Event> {
        self.runtime.events.remote()
    }

    /// Returns a handle by which another thread posts events of the current session, for example
    /// when it has finished a piece of work.
    ///
    /// When the session ends ([`Dma`]), events that it has posted and that have not been handled
    /// are dropped, and further posts fail with
    /// [`PostError::SessionEnded`](crate::PostError::SessionEnded). So the next guest is never
    /// interrupted for work that it has not started.
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

    /// Ends the session: the work that threads do for the guest ends here, as in a reset of the
    /// function.
    ///
    /// [`SessionDma`](crate::SessionDma)s, [`Irq`]s and session remotes that were obtained before
    /// reach nothing any more, fetches under way fail with [`DmaError::SessionEnded`], and events
    /// of session remotes that have not been handled are dropped. Guards that threads hold stay
    /// valid until they are dropped. Handles that this context returns from now on belong to the
    /// next session. Call it in [`Device::reset`] for a [`soft_reset`](Self::soft_reset) that stops
    /// everything.
    pub fn end_session(&self) {
        self.runtime.end_session();
    }

    /// Returns the time that this device's [`Timer`](crate::Timer)s use: the system's, or on a
    /// [`Bench`](crate::Bench) the time that the test sets.
    pub fn now(&self) -> Instant {
        self.runtime.clock.now()
    }

    /// Posts an event to this device.
    ///
    /// It is handled after the current request has been answered and before the next one. An event
    /// that is posted while events are handled is handled in the next turn, so that clients are
    /// served in between.
    pub fn post(&self, event: D::Event) {
        self.runtime.events.post(event);
    }

    /// Watches a descriptor of the device's own: a socket, a pipe, a terminal, an eventfd.
    ///
    /// While the descriptor is readable, [`Device::event`] receives the event that `event` returns,
    /// once a turn of the device's thread, and the client is served in between. So read the
    /// descriptor in that hook, without blocking, or [`pause`](Watch::pause). That the other end
    /// was closed is reported once.
    ///
    /// The descriptor is duplicated: the device may close its own. It is watched until the result
    /// is dropped; while the device is stopped, no events are posted. While it is watched, the
    /// thread waits for it as well as for its client, which costs one more system call a request.
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
        let Runtime { watches, wake_set, events, .. } = self.runtime;
        watches.add(wake_set, events.signal(), fd.as_fd(), Box::new(event))
    }
}
