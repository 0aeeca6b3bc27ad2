//! The vectors of one interrupt index: what the client assigned, and what it and the guest masked.

use std::sync::Arc;

use super::fence::Fence;
use super::resample::Resample;
use crate::dma::Order;
use crate::eventfd::EventFd;
use crate::pci::MessageControl;
use crate::protocol::IrqIndex;

/// One vector.
#[derive(Debug, Default)]
struct Vector {
    trigger: Option<EventFd>,
    /// By the client, by message or eventfd; of INTx, by its own signal too.
    masked: bool,
    /// By the guest, in the table or in the capability.
    guest_masked: bool,
    /// How many causes wait for its delivery; it pends while there is one.
    waiting: u32,
    /// Changes when it is delivered or forgotten: who waited before does so no longer.
    epoch: u64,
    /// Of INTx: a pulse was signalled, and the guest has not come to the end of it.
    in_service: bool,
    fence: Fence,
    /// Of INTx: by what else it is unmasked.
    resample: Option<Arc<Resample>>,
}

/// All vectors of an index.
#[derive(Debug)]
pub(super) struct Vectors {
    all: Vec<Vector>,
    /// How many have an eventfd.
    assigned: u32,
    index: IrqIndex,
    /// What the guest has written to the capability.
    control: MessageControl,
    /// A client has written the table, so that its masks count; those of MSI always do.
    touched: bool,
    /// The device is stopped.
    held: bool,
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
        };
        vectors.reset();
        vectors
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

    /// How many messages there are: what the guest has enabled, or else up to which vector eventfds
    /// are assigned, as MSI enables its vectors: by powers of two. One without in between does not
    /// shift the others.
    pub(super) fn messages(&self) -> u32 {
        if self.is_enabled() {
            return self.control.enabled;
        }
        let last = self.all.iter().rposition(|vector| vector.trigger.is_some());
        let messages = last.map_or(1, |last| (last + 1).next_power_of_two());
        u32::try_from(messages).unwrap_or(u32::MAX)
    }

    /// Another eventfd is no unmask. It gets what was raised while there was none.
    pub(super) fn assign(&mut self, number: u32, trigger: Option<EventFd>) {
        let Some(vector) = self.get(number) else { return };
        let (before, after) = (vector.trigger.is_some(), trigger.is_some());
        vector.trigger = trigger;
        self.assigned = self.assigned + u32::from(after) - u32::from(before);
    }

    /// Notes that a vector is raised, after a write if there is one, and by a cause that does not wait
    /// for it already or by one that does. It pends then.
    pub(super) fn raise(&mut self, number: u32, is_new: bool, after: Option<u64>) {
        if let Some(vector) = self.get(number) {
            vector.waiting += u32::from(is_new);
            if let Some(write) = after {
                vector.fence.wait_for(write, true);
            }
        }
    }

    /// While this stays the same, who waits for a vector still does; `None` if it does not pend.
    pub(super) fn epoch(&self, number: u32) -> Option<u64> {
        let vector = self.all.get(usize::try_from(number).ok()?)?;
        vector.is_pending().then_some(vector.epoch)
    }

    /// One of the causes that wait for a vector is no more.
    pub(super) fn withdraw(&mut self, number: u32) {
        if let Some(vector) = self.get(number) {
            vector.waiting = vector.waiting.saturating_sub(1);
            if !vector.is_pending() {
                vector.fence.forget_raised();
            }
        }
    }

    /// Whether a pulse of INTx pends, or is signalled and not yet acknowledged.
    pub(super) fn is_in_service(&self) -> bool {
        self.all.iter().any(|vector| vector.is_pending() || vector.in_service)
    }

    /// Signals nothing before this write.
    pub(super) fn wait_for(&mut self, number: u32, write: u64) {
        if let Some(vector) = self.get(number) {
            vector.fence.wait_for(write, false);
        }
    }

    /// Writes have settled: delivers what has waited for them, if this index is used. Whether something
    /// still waits.
    pub(super) fn settle(&mut self, order: &Order, delivers: bool) -> bool {
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

    /// Delivers what pends, if nothing holds it back.
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

    /// Signals the eventfd if there is one and nothing holds it back; whether it did.
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
            // It masks itself, and first: the answer may be there as soon as it is signalled.
            vector.mask();
        }
        vector.trigger.iter().for_each(EventFd::signal);
        true
    }

    /// What the client has assigned.
    pub(super) fn eventfd(&self, number: u32) -> Option<&EventFd> {
        self.all.get(usize::try_from(number).ok()?)?.trigger.as_ref()
    }

    /// The client masks a vector, or unmasks it.
    pub(super) fn mask(&mut self, number: u32, masked: bool) {
        match self.get(number) {
            Some(vector) if masked => vector.mask(),
            Some(vector) => (vector.masked, vector.in_service) = (false, false),
            None => {}
        }
    }

    /// Unmasks a vector by this as well.
    pub(super) fn unmask_by(&mut self, number: u32, resample: Option<Arc<Resample>>) {
        if let Some(vector) = self.get(number) {
            vector.resample = resample;
            // What has come already unmasks, too.
            vector.resample.iter().filter(|_| vector.masked).for_each(|resample| resample.watch());
        }
    }

    /// A vector has been unmasked, and signalled again if it had to be.
    pub(super) fn rest(&self, number: u32) {
        let vector = self.all.get(number as usize);
        if let Some(Vector { masked: false, resample: Some(resample), .. }) = vector {
            resample.rest();
        }
    }

    /// The guest has written the control word.
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

    /// The guest has written the mask bit of a vector in the table.
    pub(super) fn mask_by_guest(&mut self, number: u32, masked: bool) {
        self.touched = true;
        if let Some(vector) = self.get(number) {
            vector.guest_masked = masked;
        }
        self.deliver(number);
    }

    /// What the table masks, if it counts.
    pub(super) fn guest_masks(&self) -> Option<Vec<bool>> {
        self.touched.then(|| self.all.iter().map(|vector| vector.guest_masked).collect())
    }

    pub(super) fn set_guest_masks(&mut self, masks: Option<&[bool]>) {
        self.touched = masks.is_some();
        for (vector, masked) in self.all.iter_mut().zip(masks.unwrap_or_default()) {
            vector.guest_masked = *masked;
        }
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// 64 pending bits, from vector `quadword * 64` on.
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

    /// What the guest has set up is as after power-on, and nothing pends.
    pub(super) fn reset(&mut self) {
        for vector in &mut self.all {
            vector.guest_masked = true;
            vector.forget();
            vector.fence = Fence::default();
        }
        self.control = MessageControl::default();
        self.touched = false;
    }

    /// What the client has assigned and masked goes. What the guest has enabled still pends.
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

    /// Nobody waits for it any more.
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
