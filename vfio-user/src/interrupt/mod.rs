//! Interrupts, from a device's `raise` to the eventfd that the client assigned.

mod control;
mod fence;
mod hand_over;
mod irq;
mod lines;
mod mode;
#[cfg(test)]
mod model;
mod resample;
mod saved;
mod session;
mod tapped;
#[cfg(test)]
mod tests;
mod vectors;
mod waiting;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::Controls;
pub(crate) use control::{Control, ControlId};
pub(crate) use hand_over::ClientInterrupts;
pub use irq::Irq;
use lines::Lines;
pub use mode::InterruptMode;
pub(crate) use saved::SavedInterrupts;
pub(crate) use vectors::VectorLook;
use vectors::Vectors;
use waiting::{Cause, Waiting};

use crate::dma::PostedWrites;
use crate::eventfd::EventFd;
use crate::fds::PeerFds;
use crate::log_throttle::LogThrottle;
use crate::model::Descriptor;
use crate::pci::{InterruptControls, Signals};
use crate::protocol::{Errno, IrqAction, IrqIndex, IrqInfoFlags};
use crate::tape::{Act, Tap};

/// The indices that a guest enables in a control word.
const MESSAGES: [IrqIndex; 2] = [IrqIndex::Msi, IrqIndex::Msix];

/// All interrupts of one function.
///
/// The mode is the first of MSI-X and MSI for which the client has assigned an eventfd, otherwise
/// the one that the guest has enabled in its control word, otherwise INTx.
///
/// A message is pending, and is delivered once, when nothing holds it back any more: a missing
/// eventfd, the client's mask, the guest's mask in the MSI-X table or of the function, a stopped
/// device. The table has effect only after a client has written it, because clients such as QEMU do
/// not forward it. Pending messages are dropped at a reset, when the client disconnects, when the
/// guest disables their capability, and when their causes end.
///
/// INTx is a level. Its mask is evaluated when the level rises, and the level when the mask is
/// cleared. A pulse asserts INTx until it has been signalled and unmasked again.
///
/// An [`Irq`] works in the session in which it was obtained.
///
/// An interrupt that is raised after a write by messages waits until the client has acknowledged
/// the write.
#[derive(Debug)]
pub struct Interrupts {
    sources: u16,
    /// Whether a source that does not exist was logged already.
    warned: AtomicBool,
    /// Counts uses of handles whose session has ended.
    late: LogThrottle,
    /// The number of the current session. It changes under the lock of the state.
    session: AtomicU64,
    state: Mutex<State>,
    /// Whether control eventfds have changed, so that the loop sees it without a lock.
    control_changes: AtomicBool,
    /// Whether an interrupt may wait for a write.
    waits: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The writes that interrupts wait for.
    order: Option<Arc<PostedWrites>>,
    vectors: [Vectors; IrqIndex::COUNT],
    /// The level of each source.
    lines: Lines,
    /// The undelivered causes of each source.
    waiting: Waiting,
    /// Whether the guest has disabled INTx, or the function is in a low power state.
    line_disabled: bool,
    controls: Controls,
    /// What records the device, or replays it.
    tap: Option<Arc<dyn Tap>>,
}

impl Interrupts {
    /// Creates the interrupts that a function declares, without eventfds.
    pub fn new(descriptor: &Descriptor) -> Self {
        let intx = u16::from(descriptor.has_intx());
        let msix = descriptor.msix_layout().map_or(0, |msix| msix.vectors);
        Self::with_counts([intx, descriptor.msi_vectors(), msix, 1, 1])
    }

    /// Creates the interrupts of a function without a declaration: the number of vectors of each
    /// index, in the order of [`IrqIndex::ALL`]. As many sources share them as the largest of
    /// INTx, MSI and MSI-X has vectors.
    pub fn with_counts(counts: [u16; IrqIndex::COUNT]) -> Self {
        let sources = counts[..3].iter().copied().max().unwrap_or(0);
        Interrupts {
            sources,
            warned: AtomicBool::new(false),
            late: LogThrottle::new(),
            session: AtomicU64::new(0),
            state: Mutex::new(State {
                order: None,
                vectors: IrqIndex::ALL.map(|index| Vectors::new(index, counts[index as usize])),
                lines: Lines::new(sources),
                waiting: Waiting::new(sources),
                line_disabled: false,
                controls: Controls::default(),
                tap: None,
            }),
            control_changes: AtomicBool::new(false),
            waits: AtomicBool::new(false),
        }
    }

    /// Returns the number of vectors of an index; 0 if the function lacks it.
    pub fn count(&self, index: IrqIndex) -> u32 {
        self.state().vectors[index as usize].count()
    }

    /// Returns the flags of an index that are reported to clients.
    pub fn flags(&self, index: IrqIndex) -> IrqInfoFlags {
        match index {
            _ if self.count(index) == 0 => IrqInfoFlags::empty(),
            IrqIndex::Intx => {
                IrqInfoFlags::EVENTFD | IrqInfoFlags::MASKABLE | IrqInfoFlags::AUTOMASKED
            }
            IrqIndex::Msi => IrqInfoFlags::EVENTFD | IrqInfoFlags::NORESIZE,
            IrqIndex::Msix | IrqIndex::Err | IrqIndex::Req => IrqInfoFlags::EVENTFD,
        }
    }

    /// Returns the number of interrupt sources.
    pub(crate) fn sources(&self) -> u16 {
        self.sources
    }

    /// Returns the interrupt of source `n`.
    pub fn irq(self: &Arc<Self>, n: u16) -> Irq {
        Irq::new(Arc::clone(self), n)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state consistent, so a panic elsewhere does not corrupt it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Methods for the device.
impl Interrupts {
    fn raise_for(&self, state: &mut State, source: u16, cause: Cause) {
        let after = self.write_before(state);
        state.raise_for(source, cause, after);
    }

    fn set_level(&self, state: &mut State, source: u16, level: bool) {
        let asserted = state.lines.any();
        if !state.lines.set(source, level) {
            return;
        }
        if !level {
            state.withdraw(source, Cause::Level);
        }
        match state.route(source) {
            (IrqIndex::Intx, _) if asserted => {}
            (IrqIndex::Intx, _) => {
                state.vectors[IrqIndex::Intx as usize].note_level(0);
                if let Some(write) = self.write_before(state) {
                    state.vectors[IrqIndex::Intx as usize].wait_for(0, write);
                }
                state.update_line();
            }
            _ if level => self.raise_for(state, source, Cause::Level),
            _ => {}
        }
    }

    fn send_again(&self, state: &mut State, source: u16) {
        if state.route(source).0 != IrqIndex::Intx {
            self.raise_for(state, source, Cause::Level);
        }
    }

    /// Signals an unrecoverable error of the device to the client.
    pub(crate) fn signal_err(&self) {
        self.state().raise_alone(IrqIndex::Err);
    }

    /// Requests that the client release the device.
    pub(crate) fn request_release(&self) {
        self.state().raise_alone(IrqIndex::Req);
    }

    /// Stops delivery: interrupts that are raised from now on stay pending.
    pub(crate) fn hold(&self) {
        self.state().vectors.iter_mut().for_each(|vectors| vectors.hold(true));
    }

    /// Resumes delivery: interrupts that were raised meanwhile are delivered. A level that rose and
    /// fell meanwhile is not delivered.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        for vectors in &mut state.vectors {
            vectors.hold(false);
        }
        for index in IrqIndex::ALL {
            state.deliver(index);
        }
    }

    /// Returns 64 pending bits of an index, from vector `quadword * 64` on.
    pub(crate) fn pending(&self, index: IrqIndex, quadword: usize) -> u64 {
        self.state().vectors[index as usize].pending(quadword)
    }

    /// Returns at most `most` vectors from one on, among those of all indices; and whether there
    /// are more.
    pub(crate) fn look(&self, from: u64, most: usize) -> (Vec<VectorLook>, bool) {
        let (state, mut rest) = (self.state(), from);
        let mut found = Vec::new();
        for vectors in &state.vectors {
            let count = u64::from(vectors.count());
            let first = rest.min(count);
            rest -= first;
            for number in first..count {
                if found.len() == most {
                    return (found, true);
                }
                found.extend(u32::try_from(number).ok().and_then(|number| vectors.look(number)));
            }
        }
        (found, false)
    }

    /// Returns the state that configuration space shows, whatever the client or the guest has
    /// masked.
    pub(crate) fn signals(&self) -> Signals {
        let state = self.state();
        let pending = state.vectors[IrqIndex::Msi as usize].pending(0);
        let pulse = state.vectors[IrqIndex::Intx as usize].is_in_service();
        Signals { line: state.lines.any() || pulse, pending }
    }

    /// Applies the interrupt controls of configuration space, which the guest may have written.
    pub(crate) fn apply_controls(&self, controls: InterruptControls) {
        let mut state = self.state();
        state.line_disabled = controls.line_disabled;
        for (index, control) in MESSAGES.into_iter().zip(controls.messages) {
            state.vectors[index as usize].control(control);
        }
        for index in MESSAGES {
            state.deliver(index);
        }
    }

    /// Applies the mask bit of a vector that a client has written to the MSI-X table.
    pub(crate) fn mask_by_guest(&self, vector: u32, masked: bool) {
        self.state().vectors[IrqIndex::Msix as usize].mask_by_guest(vector, masked);
    }

    /// Resets the interrupts: no source is asserted, no interrupt is pending, and the guest's
    /// enables and masks are cleared. The client's eventfds and masks stay. The session ends.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        self.end_session_of(&mut state);
        state.lines.clear();
        state.line_disabled = false;
        state.vectors.iter_mut().for_each(Vectors::reset);
    }
}

/// Methods for the client, by `VFIO_USER_DEVICE_SET_IRQS`. The caller has checked the ranges.
impl Interrupts {
    /// Assigns the eventfds of vectors `start..`, and replaces earlier ones.
    pub(crate) fn assign(&self, index: IrqIndex, start: u32, fds: PeerFds) -> Result<(), Errno> {
        let triggers = adopt_all(fds)?;
        let mut state = self.state();
        let count = u32::try_from(triggers.len()).unwrap_or(u32::MAX);
        state.note(|| Act::Assign { index: index.into(), start, count });
        for (vector, trigger) in (start..).zip(triggers) {
            state.vectors[index as usize].assign(vector, Some(trigger));
        }
        state.deliver(index);
        Ok(())
    }

    /// Removes the eventfds of `count` vectors from `start` on.
    pub(crate) fn deassign(&self, index: IrqIndex, start: u32, count: u32) {
        let mut state = self.state();
        state.note(|| Act::Deassign { index: index.into(), start, count });
        for vector in start..start + count {
            state.vectors[index as usize].assign(vector, None);
        }
        state.update_line();
    }

    /// Removes all eventfds and masks of the client for an index.
    pub(crate) fn disable(&self, index: IrqIndex) {
        let mut state = self.state();
        state.note(|| Act::DisableIrqs { index: index.into() });
        state.vectors[index as usize].clear();
        state.update_line();
        self.ignore_index(&mut state, index);
    }

    /// Does `action` on the vectors, as the client's message requests.
    pub(crate) fn act(
        &self,
        index: IrqIndex,
        action: IrqAction,
        vectors: impl IntoIterator<Item = u32>,
    ) {
        let mut state = self.state();
        if action == IrqAction::Trigger {
            // A test of the eventfds works in every state.
            let of_index = &state.vectors[index as usize];
            EventFd::signal_all(vectors.into_iter().filter_map(|vector| of_index.eventfd(vector)));
            return;
        }
        state.mask_all(index, action == IrqAction::Mask, vectors);
    }

    /// Handles a disconnected client: ends its session and drops its pending interrupts.
    pub(crate) fn disconnect(&self) {
        let mut state = self.state();
        state.note(|| Act::LeaveIrqs);
        self.end_session_of(&mut state);
        for vectors in &mut state.vectors {
            vectors.clear();
            vectors.forget_pending();
        }
        for index in IrqIndex::ALL {
            self.ignore_index(&mut state, index);
        }
    }
}

impl State {
    /// Returns the index and vector that an interrupt of a source uses now.
    fn route(&self, source: u16) -> (IrqIndex, u32) {
        let first = |is: fn(&Vectors) -> bool| {
            MESSAGES.into_iter().rfind(|index| is(&self.vectors[*index as usize]))
        };
        match first(Vectors::is_assigned).or_else(|| first(Vectors::is_enabled)) {
            None => (IrqIndex::Intx, 0),
            // The guest may enable fewer messages than the device has.
            Some(IrqIndex::Msi) => {
                let messages = self.vectors[IrqIndex::Msi as usize].messages();
                (IrqIndex::Msi, u32::from(source) % messages)
            }
            Some(index) => (index, source.into()),
        }
    }

    /// Returns the eventfd that the client has assigned to the message of a source.
    fn eventfd(&self, source: u16) -> io::Result<Option<EventFd>> {
        self.note_eventfd();
        match self.route(source) {
            (IrqIndex::Intx, _) => Ok(None),
            (index, vector) => {
                let trigger = self.vectors[index as usize].eventfd(vector);
                trigger.map(EventFd::try_clone).transpose()
            }
        }
    }

    /// Returns whether a source reaches the client by an eventfd.
    fn is_assigned(&self, source: u16) -> bool {
        let (index, vector) = self.route(source);
        self.vectors[index as usize].eventfd(vector).is_some()
    }

    /// Raises the only vector of an index without sources.
    fn raise_alone(&mut self, index: IrqIndex) {
        let vectors = &mut self.vectors[index as usize];
        vectors.raise(0, vectors.epoch(0).is_none(), None);
        vectors.deliver(0);
    }

    /// Delivers the pending vectors of an index after a change of masks or of the mode.
    fn deliver(&mut self, index: IrqIndex) {
        if index != IrqIndex::Intx {
            self.vectors[index as usize].deliver_all();
        }
        self.update_line();
    }

    /// Signals INTx for a pending pulse, or because it is asserted. While INTx is masked a level is
    /// not pending: it is evaluated again when the mask is cleared.
    fn update_line(&mut self) {
        if self.line_disabled || self.route(0).0 != IrqIndex::Intx {
            return;
        }
        let intx = &mut self.vectors[IrqIndex::Intx as usize];
        intx.deliver(0);
        if self.lines.any() {
            // The line is masked right after the delivery of a pulse.
            intx.signal(0);
        }
    }

    fn mask(&mut self, index: IrqIndex, vector: u32, masked: bool) {
        let vectors = &mut self.vectors[index as usize];
        vectors.mask(vector, masked);
        match index {
            _ if masked => {}
            IrqIndex::Intx => {
                self.update_line();
                self.vectors[index as usize].disarm(vector);
            }
            _ => vectors.deliver(vector),
        }
    }
}

/// Converts descriptors to eventfds, all or none.
fn adopt_all(fds: PeerFds) -> Result<Vec<EventFd>, Errno> {
    fds.into_iter().map(|fd| EventFd::from_peer(fd).map_err(Errno::from)).collect()
}
