//! The vectors of one interrupt index: the client's eventfds, and the masks of the client and the
//! guest.

use std::sync::Arc;

use super::fence::Fence;
use super::resample::Resample;
use crate::dma::PostedWrites;
use crate::eventfd::EventFd;
use crate::pci::MessageControl;
use crate::protocol::IrqIndex;
use crate::tape::Tap;

/// One vector.
#[derive(Debug, Default)]
struct Vector {
    trigger: Option<EventFd>,
    /// Masked by the client, by message or eventfd; for INTx also by its own signal.
    masked: bool,
    /// Masked by the guest, in the table or in the capability.
    guest_masked: bool,
    /// The number of causes that wait for its delivery; it is pending while there is one.
    waiting: u32,
    /// Changes when it is delivered or dropped, which ends the wait of all earlier causes.
    epoch: u64,
    /// For INTx: a pulse was signalled, and the guest has not acknowledged it.
    in_service: bool,
    fence: Fence,
    /// How often it was raised, and signalled.
    raised: u64,
    delivered: u64,
    /// For INTx: the eventfd that also unmasks it.
    resample: Option<Arc<Resample>>,
}

/// What a vector is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VectorLook {
    pub(crate) index: IrqIndex,
    pub(crate) number: u32,
    pub(crate) is_assigned: bool,
    pub(crate) is_masked: bool,
    pub(crate) is_pending: bool,
    pub(crate) raised: u64,
    pub(crate) delivered: u64,
}

/// All vectors of an index.
#[derive(Debug)]
pub(super) struct Vectors {
    all: Vec<Vector>,
    /// The number of vectors with an eventfd.
    assigned: u32,
    index: IrqIndex,
    /// The control word that the guest has written to the capability.
    control: MessageControl,
    /// Whether a client has written the table, so that its masks have effect; those of MSI always
    /// do.
    touched: bool,
    /// Whether the device is stopped.
    held: bool,
    /// What records the interrupts, or compares them.
    tap: Option<Arc<dyn Tap>>,
}

impl Vectors {
    pub(super) fn new(index: IrqIndex, count: u16) -> Self {
        let mut vectors = Vectors {
            all: (0..count).map(|_| Vector::default()).collect(),
            assigned: 0,
            index,
            control: MessageControl::default(),
            touched: false,
            held: false,
            tap: None,
        };
        vectors.reset();
        vectors
    }

    pub(super) fn set_tap(&mut self, tap: &Arc<dyn Tap>) {
        self.tap = Some(Arc::clone(tap));
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_assigned(&self) -> bool {
        self.assigned > 0
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.control.enabled > 0
    }

    /// Returns the number of messages: the number that the guest has enabled. If it has enabled
    /// none, the number covers the assigned eventfds, rounded up to a power of two as MSI does. A
    /// vector without an eventfd in between does not shift the others.
    pub(super) fn messages(&self) -> u32 {
        if self.is_enabled() {
            return self.control.enabled;
        }
        let last = self.all.iter().rposition(|vector| vector.trigger.is_some());
        let messages = last.map_or(1, |last| (last + 1).next_power_of_two());
        u32::try_from(messages).unwrap_or(u32::MAX)
    }

    /// Replaces the eventfd of a vector, which does not unmask it. The new one receives what was
    /// raised while there was none.
    pub(super) fn assign(&mut self, number: u32, trigger: Option<EventFd>) {
        let Some(vector) = self.get(number) else { return };
        let (before, after) = (vector.trigger.is_some(), trigger.is_some());
        vector.trigger = trigger;
        self.assigned = self.assigned + u32::from(after) - u32::from(before);
    }

    /// Marks a vector as pending, after a write if there is one. `is_new` says that the cause does
    /// not wait for it already.
    pub(super) fn raise(&mut self, number: u32, is_new: bool, after: Option<u64>) {
        if let Some(vector) = self.get(number) {
            vector.waiting += u32::from(is_new);
            vector.raised += 1;
            if let Some(write) = after {
                vector.fence.wait_for(write, true);
            }
        }
    }

    /// Returns the epoch of a pending vector: while it does not change, the causes still wait.
    pub(super) fn epoch(&self, number: u32) -> Option<u64> {
        let vector = self.all.get(usize::try_from(number).ok()?)?;
        vector.is_pending().then_some(vector.epoch)
    }

    /// Removes one of the causes that wait for a vector.
    pub(super) fn withdraw(&mut self, number: u32) {
        if let Some(vector) = self.get(number) {
            vector.waiting = vector.waiting.saturating_sub(1);
            if !vector.is_pending() {
                vector.fence.forget_raised();
            }
        }
    }

    /// Returns whether a pulse of INTx is pending, or signalled and not yet acknowledged.
    pub(super) fn is_in_service(&self) -> bool {
        self.all.iter().any(|vector| vector.is_pending() || vector.in_service)
    }

    /// Delays the signals of a vector until this write has settled.
    pub(super) fn wait_for(&mut self, number: u32, write: u64) {
        if let Some(vector) = self.get(number) {
            vector.fence.wait_for(write, false);
        }
    }

    /// Handles settled writes: delivers the vectors that waited for them, if this index is used.
    /// Returns whether a vector still waits.
    pub(super) fn settle(&mut self, order: &PostedWrites, delivers: bool) -> bool {
        for number in 0..self.count() {
            while self.all[number as usize].fence.open(order) {
                if delivers {
                    self.deliver(number);
                }
                let vector = &mut self.all[number as usize];
                vector.waiting += u32::from(vector.fence.close_again());
            }
        }
        self.all.iter().any(|vector| vector.fence.is_closed())
    }

    /// Delivers a pending vector, if nothing holds it back.
    pub(super) fn deliver(&mut self, number: u32) {
        let is_line = self.index == IrqIndex::Intx;
        if self.get(number).is_some_and(|vector| vector.is_pending()) && self.signal(number) {
            let vector = &mut self.all[number as usize];
            vector.forget();
            vector.in_service = is_line;
        }
    }

    pub(super) fn deliver_all(&mut self) {
        (0..self.count()).for_each(|number| self.deliver(number));
    }

    /// Signals the eventfd if there is one and nothing holds it back. Returns whether it did.
    pub(super) fn signal(&mut self, number: u32) -> bool {
        if self.held || self.control.masked {
            return false;
        }
        let (touched, is_line) = (self.touched, self.index == IrqIndex::Intx);
        let Some(vector) = self.get(number) else { return false };
        let masked = vector.masked || (touched && vector.guest_masked);
        if vector.trigger.is_none() || masked || vector.fence.is_closed() {
            return false;
        }
        if is_line {
            // Mask it first: the acknowledgement may arrive as soon as it is signalled.
            vector.mask();
        }
        vector.delivered += 1;
        if let Some(tap) = &self.tap {
            tap.interrupt(self.index.into(), number);
        }
        let trigger = self.eventfd(number);
        trigger.into_iter().for_each(EventFd::signal);
        true
    }

    /// Counts an interrupt that is a level.
    pub(super) fn note_level(&mut self, number: u32) {
        if let Some(vector) = self.get(number) {
            vector.raised += 1;
        }
    }

    /// Returns what a vector is doing.
    pub(super) fn look(&self, number: u32) -> Option<VectorLook> {
        let vector = self.all.get(usize::try_from(number).ok()?)?;
        let masked_by_guest = self.touched && vector.guest_masked;
        Some(VectorLook {
            index: self.index,
            number,
            is_assigned: vector.trigger.is_some(),
            is_masked: vector.masked || masked_by_guest || self.control.masked,
            is_pending: vector.is_pending(),
            raised: vector.raised,
            delivered: vector.delivered,
        })
    }

    /// Returns the eventfd that the client has assigned.
    pub(super) fn eventfd(&self, number: u32) -> Option<&EventFd> {
        self.all.get(usize::try_from(number).ok()?)?.trigger.as_ref()
    }

    /// Applies the client's mask or unmask of a vector.
    pub(super) fn mask(&mut self, number: u32, masked: bool) {
        match self.get(number) {
            Some(vector) if masked => vector.mask(),
            Some(vector) => (vector.masked, vector.in_service) = (false, false),
            None => {}
        }
    }

    /// Sets the eventfd that also unmasks a vector.
    pub(super) fn unmask_by(&mut self, number: u32, resample: Option<Arc<Resample>>) {
        if let Some(vector) = self.get(number) {
            vector.resample = resample;
            // A signal that has arrived already unmasks, too.
            vector.resample.iter().filter(|_| vector.masked).for_each(|resample| resample.watch());
        }
    }

    /// Stops watching the resample eventfd of a vector that is unmasked now.
    pub(super) fn disarm(&self, number: u32) {
        let vector = self.all.get(number as usize);
        if let Some(Vector { masked: false, resample: Some(resample), .. }) = vector {
            resample.disarm();
        }
    }

    /// Applies the control word that the guest has written.
    pub(super) fn control(&mut self, control: MessageControl) {
        if self.is_enabled() && control.enabled == 0 {
            self.forget_pending();
        }
        self.control = MessageControl { enabled: control.enabled.min(self.count()), ..control };
        if let Some(masks) = control.masks {
            self.touched = true;
            for (place, vector) in self.all.iter_mut().enumerate() {
                vector.guest_masked = masks >> place & 1 != 0;
            }
        }
    }

    pub(super) fn message_control(&self) -> MessageControl {
        self.control
    }

    /// Applies the mask bit of a vector that the guest has written to the table.
    pub(super) fn mask_by_guest(&mut self, number: u32, masked: bool) {
        self.touched = true;
        if let Some(vector) = self.get(number) {
            vector.guest_masked = masked;
        }
        self.deliver(number);
    }

    /// Returns the masks of the table, if they have effect.
    pub(super) fn guest_masks(&self) -> Option<Vec<bool>> {
        self.touched.then(|| self.all.iter().map(|vector| vector.guest_masked).collect())
    }

    pub(super) fn set_guest_masks(&mut self, masks: Option<&[bool]>) {
        self.touched = masks.is_some();
        for (vector, masked) in self.all.iter_mut().zip(masks.unwrap_or_default()) {
            vector.guest_masked = *masked;
        }
    }

    /// Returns whether the client has masked a vector, whether it is pending, and whether it was
    /// signalled as a pulse of INTx that the guest has not acknowledged.
    pub(super) fn for_client(&self, number: u32) -> (bool, bool, bool) {
        let vector = self.all.get(number as usize);
        vector.map_or((false, false, false), |vector| {
            (vector.masked, vector.is_pending(), vector.in_service)
        })
    }

    /// Restores the client's mask of a vector, without an effect on signals that have arrived.
    pub(super) fn set_masked(&mut self, number: u32, masked: bool) {
        self.get(number).into_iter().for_each(|vector| vector.masked = masked);
    }

    /// Restores what the guest has not acknowledged.
    pub(super) fn set_unacknowledged(&mut self, number: u32, pending: bool, in_service: bool) {
        if let Some(vector) = self.get(number) {
            (vector.waiting, vector.in_service) = (pending.into(), in_service);
        }
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Returns 64 pending bits, from vector `quadword * 64` on.
    pub(super) fn pending(&self, quadword: usize) -> u64 {
        let vectors = self.all.iter().skip(quadword * 64).take(64);
        vectors.rev().fold(0, |bits, vector| bits << 1 | u64::from(vector.is_pending()))
    }

    pub(super) fn all_pending(&self) -> Vec<u32> {
        let vectors = (0..).zip(&self.all);
        vectors.filter(|(_, vector)| vector.is_pending()).map(|(number, _)| number).collect()
    }

    pub(super) fn set_pending(&mut self, vectors: &[u32]) {
        for vector in vectors {
            if let Some(vector) = self.get(*vector) {
                vector.waiting = 1;
            }
        }
    }

    pub(super) fn forget_pending(&mut self) {
        for vector in &mut self.all {
            vector.forget();
            vector.fence.forget_raised();
        }
    }

    /// Resets the guest's settings to those after power-on, and drops pending vectors.
    pub(super) fn reset(&mut self) {
        for vector in &mut self.all {
            vector.guest_masked = true;
            vector.forget();
            vector.fence = Fence::default();
        }
        self.control = MessageControl::default();
        self.touched = false;
    }

    /// Removes the client's eventfds and masks. Vectors that the guest has enabled stay pending.
    pub(super) fn clear(&mut self) {
        for vector in &mut self.all {
            vector.trigger = None;
            vector.masked = false;
        }
        self.assigned = 0;
        if !self.is_enabled() {
            self.forget_pending();
        }
    }

    fn get(&mut self, number: u32) -> Option<&mut Vector> {
        self.all.get_mut(usize::try_from(number).ok()?)
    }
}

impl Vector {
    fn is_pending(&self) -> bool {
        self.waiting > 0
    }

    /// Drops all causes that wait for it.
    fn forget(&mut self) {
        self.waiting = 0;
        self.epoch += 1;
        self.in_service = false;
    }

    fn mask(&mut self) {
        if !self.masked {
            self.masked = true;
            self.resample.iter().for_each(|resample| resample.expect());
        }
    }
}
