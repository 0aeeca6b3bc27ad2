//! Interrupts that the runtime composes from registers.

use super::trace;
use crate::device::{Cx, Hook, PciDevice};
use crate::interrupt::Irq;
use crate::model::{BlockElement, ComposedInterrupt, Descriptor, Hooks, Slot, Trigger};

/// A composed interrupt of the device or of one of its blocks, and its last known state.
#[derive(Debug)]
struct Composed {
    status: Slot,
    enable: Option<Slot>,
    mask: Option<Slot>,
    trigger: Trigger,
    vector: u16,
    active: u64,
    /// The active bits that software has cleared since.
    acknowledged: u64,
    /// The bits for which the last message was sent. It stops pending once none of them is active.
    unsent: u64,
    /// Whether the device computes the status, and whether it observes the result.
    is_computed: bool,
    is_observed: bool,
    /// The device has not observed the result since registers were reset.
    is_stale: bool,
}

/// All composed interrupts of a device.
#[derive(Debug)]
pub(crate) struct Composer {
    all: Box<[Composed]>,
}

impl Composed {
    fn new(
        descriptor: &Descriptor,
        intr: &ComposedInterrupt,
        at: Option<BlockElement>,
        vector: u16,
    ) -> Self {
        let slot = |register| Slot { block: at, register, element: 0 };
        let status = descriptor.register(slot(intr.status));
        Composed {
            status: slot(intr.status),
            enable: intr.enable.map(slot),
            mask: intr.mask.map(slot),
            trigger: intr.trigger,
            vector,
            active: 0,
            acknowledged: 0,
            unsent: 0,
            is_computed: status.has(Hooks::STATUS_WITH),
            is_observed: status.has(Hooks::ON_COMPOSED),
            is_stale: true,
        }
    }

    /// Returns the bits that request the interrupt now.
    fn active_bits<D: PciDevice>(&self, device: &D) -> u64 {
        let load = |slot| device.load(slot);
        let enabled = self.enable.map_or(u64::MAX, load);
        let status =
            if self.is_computed { device.computed_status(self.status) } else { load(self.status) };
        status & enabled & !self.mask.map_or(0, load)
    }

    /// Returns the bits that have been active since the last evaluation.
    fn before(&self) -> u64 {
        self.active & !self.acknowledged
    }

    /// Notes the bits for which a message is sent, if there are any. A level pends as long as any
    /// bit of it is set.
    fn note_unsent(&mut self, rising: u64) {
        self.unsent = match self.trigger {
            Trigger::Event => self.unsent & self.active | rising,
            Trigger::Level if self.unsent | rising != 0 => self.active,
            Trigger::Level => 0,
        };
    }
}

impl Composer {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let own = descriptor.interrupts().iter();
        let own = own.map(|intr| Composed::new(descriptor, intr, None, intr.vector));
        let blocks = descriptor.blocks().iter().enumerate();
        let in_blocks = blocks.flat_map(|(block_index, block)| {
            (0..block.count() as usize).flat_map(move |element| {
                let at = Some(BlockElement { block: block_index, element });
                let intrs = block.interrupts().iter();
                intrs.map(move |intr| {
                    let vector = block.vector_of(intr, element);
                    Composed::new(descriptor, intr, at, vector)
                })
            })
        });
        Composer { all: own.chain(in_blocks).collect() }
    }

    /// Returns whether composing calls hooks, which may reset the device.
    pub(crate) fn has_hooks(&self) -> bool {
        self.all.iter().any(|intr| intr.is_observed)
    }

    /// Returns whether there is nothing to compose.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Forgets all raised interrupts after a reset.
    pub(crate) fn reset(&mut self) {
        for intr in &mut self.all {
            (intr.active, intr.acknowledged, intr.unsent) = (0, 0, 0);
            intr.is_stale = true;
        }
    }

    /// Notes that software clears bits of a register, if that is a status. A bit that is set again
    /// before the access ends has a new edge.
    #[inline]
    pub(crate) fn acknowledge(&mut self, status: Slot, cleared: u64) {
        let stored = self.all.iter_mut().filter(|intr| !intr.is_computed);
        for intr in stored.filter(|intr| intr.status == status) {
            intr.acknowledged |= intr.active & cleared;
        }
    }

    /// Notes that registers have been reset, each to the value that `value_after` returns. A bit
    /// that requested an interrupt before, not with these values, and is set again before the
    /// access ends, has a new edge.
    pub(crate) fn note_reset(&mut self, value_after: impl Fn(Slot) -> Option<u64>) {
        for intr in &mut self.all {
            let value = |slot: Option<Slot>| slot.and_then(&value_after);
            let status = Some(intr.status).filter(|_| !intr.is_computed);
            let status = value(status).unwrap_or(u64::MAX);
            let enabled = value(intr.enable).unwrap_or(u64::MAX);
            let masked = value(intr.mask).unwrap_or(0);
            intr.acknowledged |= intr.active & !(status & enabled & !masked);
            intr.is_stale = true;
        }
    }

    /// Takes the registers as they are: the interrupts that they request have been raised before.
    pub(crate) fn adopt<D: PciDevice>(&mut self, device: &D) {
        for intr in &mut self.all {
            intr.active = intr.active_bits(device);
            (intr.acknowledged, intr.unsent, intr.is_stale) = (0, intr.active, false);
        }
    }

    /// Evaluates the registers again, and raises and lowers interrupts that have changed.
    #[inline(never)]
    pub(crate) fn compose<D: PciDevice>(&mut self, device: &mut D, cx: &mut Cx<'_, D>) {
        for index in 0..self.all.len() {
            let intr = &mut self.all[index];
            let entered = intr.is_computed.then(|| cx.enter_status(intr.status));
            let new = intr.active_bits(device);
            drop(entered);
            let has_changed = new != intr.active;
            intr.is_stale |= has_changed;
            if has_changed || new & intr.acknowledged != 0 {
                let irq = cx.runtime().interrupts.irq(intr.vector);
                self.follow(index, new, &irq);
            }
        }
        for intr in &mut self.all {
            intr.acknowledged = 0;
        }
        self.show(device, cx);
    }

    /// Calls the hooks that observe what has changed.
    fn show<D: PciDevice>(&mut self, device: &mut D, cx: &mut Cx<'_, D>) {
        for intr in self.all.iter_mut().filter(|intr| intr.is_observed && intr.is_stale) {
            intr.is_stale = false;
            if trace::is_on() {
                trace::composed(
                    cx.runtime().resets.descriptor(),
                    intr.status,
                    intr.enable,
                    intr.active,
                );
            }
            let call = Hook::Composed(intr.active);
            let _entered = cx.enter_hook(intr.status, call);
            device.hook(cx, intr.status, call);
        }
    }

    /// Handles bits of one interrupt that have changed, or have been acknowledged and set again.
    fn follow(&mut self, index: usize, new: u64, irq: &Irq) {
        let vector = self.all[index].vector;
        let was_level = self.sharing(vector).any(|intr| intr.before() != 0);
        let intr = &mut self.all[index];
        let rising = new & !intr.before();
        (intr.active, intr.acknowledged) = (new, 0);
        let is_edge = rising != 0 && (intr.trigger == Trigger::Event || !was_level);
        let was_raised = irq.is_set();
        if is_edge && !(was_raised && irq.waits()) {
            for intr in self.all.iter_mut().filter(|intr| intr.vector == vector) {
                intr.unsent = 0;
            }
        }
        self.all[index].note_unsent(if is_edge { rising } else { 0 });
        irq.set(self.level(vector));
        if is_edge && was_raised {
            irq.send_again();
        } else if self.sharing(vector).all(|intr| intr.unsent == 0) {
            irq.withdraw_level();
        }
    }

    fn sharing(&self, vector: u16) -> impl Iterator<Item = &Composed> {
        self.all.iter().filter(move |intr| intr.vector == vector)
    }

    /// Returns whether any of the interrupts that share a vector is requested.
    fn level(&self, vector: u16) -> bool {
        self.sharing(vector).any(|intr| intr.active != 0)
    }
}
