//! Interrupts that the runtime composes from registers.

use super::Register;
use crate::device::{Descriptor, PciDevice, Slot};
use crate::interrupt::Irq;

/// A status register whose bits raise an interrupt, and the registers that let them.
///
/// The level of the interrupt is whether any bit is set in the status, set in `enable` and clear in
/// `mask`. It is looked at after every access and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intr {
    /// Place of the status register in the declaration.
    pub status: usize,
    /// Place of the register whose ones let bits through; all get through without one.
    pub enable: Option<usize>,
    /// Place of the register whose ones hold bits back.
    pub mask: Option<usize>,
    /// What a bit of the status stands for.
    pub trigger: Trigger,
    /// Number of the interrupt source.
    pub vector: u16,
}

/// What a bit of a status register stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trigger {
    /// Something has happened; software clears the bit. Every bit that gets set sends a message.
    #[default]
    Event,
    /// Something is the case; the device sets and clears the bit. The first bit sends a message.
    Level,
}

impl Intr {
    /// An event of every bit of the register at `status`, as interrupt 0.
    pub const fn new(status: usize) -> Self {
        Intr { status, enable: None, mask: None, trigger: Trigger::Event, vector: 0 }
    }

    /// Lets through the ones of the register at `place`.
    #[must_use]
    pub const fn enable(mut self, place: usize) -> Self {
        self.enable = Some(place);
        self
    }

    /// Holds back the ones of the register at `place`.
    #[must_use]
    pub const fn mask(mut self, place: usize) -> Self {
        self.mask = Some(place);
        self
    }

    /// The bits are levels.
    #[must_use]
    pub const fn level(mut self) -> Self {
        self.trigger = Trigger::Level;
        self
    }

    /// Another interrupt source than 0.
    #[must_use]
    pub const fn vector(mut self, vector: u16) -> Self {
        self.vector = vector;
        self
    }

    /// The bits that ask for the interrupt now.
    fn active<D: PciDevice>(&self, device: &D) -> u64 {
        let load = |place| device.load(Slot::new(place, 0));
        let enabled = self.enable.map_or(u64::MAX, load);
        load(self.status) & enabled & !self.mask.map_or(0, load)
    }
}

/// What all composed interrupts of a device have been found to be.
#[derive(Debug)]
pub(crate) struct Composer {
    active: Box<[u64]>,
}

impl Composer {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        Composer { active: vec![0; descriptor.composed_interrupts().len()].into() }
    }

    /// Whether there is nothing to compose.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// No interrupt is raised: they have all been reset.
    pub(crate) fn reset(&mut self) {
        self.active.fill(0);
    }

    /// Takes the registers as they are: what they ask for has been raised before.
    pub(crate) fn adopt<D: PciDevice>(&mut self, device: &D, descriptor: &Descriptor) {
        for (active, intr) in self.active.iter_mut().zip(descriptor.composed_interrupts()) {
            *active = intr.active(device);
        }
    }

    /// Looks at the registers again, and raises and lowers what has changed.
    pub(crate) fn compose<D: PciDevice>(
        &mut self,
        device: &D,
        descriptor: &Descriptor,
        irq: impl Fn(u16) -> Irq,
    ) {
        for (place, intr) in descriptor.composed_interrupts().iter().enumerate() {
            let (old, new) = (self.active[place], intr.active(device));
            if old == new {
                continue;
            }
            self.active[place] = new;
            let irq = irq(intr.vector);
            let was_raised = irq.is_set();
            irq.set(self.level(descriptor, intr.vector));
            if intr.trigger == Trigger::Event && was_raised && new & !old != 0 {
                irq.send_again();
            }
        }
    }

    /// Whether any of the interrupts that share a vector asks for it.
    fn level(&self, descriptor: &Descriptor, vector: u16) -> bool {
        let mut all = descriptor.composed_interrupts().iter().zip(&self.active);
        all.any(|(intr, active)| intr.vector == vector && *active != 0)
    }
}

impl Register {
    /// Whether software can clear bits, by the policies.
    pub(crate) const fn is_clearable(&self) -> bool {
        self.access().clearable() != 0 || self.has(super::Hooks::WRITE_WITH)
    }
}
