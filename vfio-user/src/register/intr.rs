//! Interrupts that the runtime composes from registers.

use super::Register;
use crate::device::{BlockElement, Descriptor, PciDevice, Slot};
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
}

/// A composed interrupt of the device or of one of its blocks, and what it has been found to be.
#[derive(Debug)]
struct Composed {
    status: Slot,
    enable: Option<Slot>,
    mask: Option<Slot>,
    trigger: Trigger,
    vector: u16,
    active: u64,
}

/// All composed interrupts of a device.
#[derive(Debug)]
pub(crate) struct Composer {
    all: Box<[Composed]>,
}

impl Composed {
    fn new(intr: &Intr, at: Option<BlockElement>, vector: u16) -> Self {
        let slot = |register| Slot { block: at, register, index: 0 };
        Composed {
            status: slot(intr.status),
            enable: intr.enable.map(slot),
            mask: intr.mask.map(slot),
            trigger: intr.trigger,
            vector,
            active: 0,
        }
    }

    /// The bits that ask for the interrupt now.
    fn look<D: PciDevice>(&self, device: &D) -> u64 {
        let load = |slot| device.load(slot);
        let enabled = self.enable.map_or(u64::MAX, load);
        load(self.status) & enabled & !self.mask.map_or(0, load)
    }
}

impl Composer {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let own = descriptor.composed_interrupts().iter();
        let own = own.map(|intr| Composed::new(intr, None, intr.vector));
        let blocks = descriptor.declared_blocks().iter().enumerate();
        let in_blocks = blocks.flat_map(|(place, block)| {
            (0..block.count() as usize).flat_map(move |index| {
                let at = Some(BlockElement { block: place, index });
                let intrs = block.declared_interrupts().iter();
                intrs.map(move |intr| Composed::new(intr, at, block.vector_of(intr, index)))
            })
        });
        Composer { all: own.chain(in_blocks).collect() }
    }

    /// Whether there is nothing to compose.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// No interrupt is raised: they have all been reset.
    pub(crate) fn reset(&mut self) {
        for intr in &mut self.all {
            intr.active = 0;
        }
    }

    /// Takes the registers as they are: what they ask for has been raised before.
    pub(crate) fn adopt<D: PciDevice>(&mut self, device: &D) {
        for intr in &mut self.all {
            intr.active = intr.look(device);
        }
    }

    /// Looks at the registers again, and raises and lowers what has changed.
    #[inline(never)]
    pub(crate) fn compose<D: PciDevice>(&mut self, device: &D, irq: impl Fn(u16) -> Irq) {
        for place in 0..self.all.len() {
            let intr = &mut self.all[place];
            let new = intr.look(device);
            let old = std::mem::replace(&mut intr.active, new);
            if old == new {
                continue;
            }
            let (trigger, vector) = (intr.trigger, intr.vector);
            let irq = irq(vector);
            let was_raised = irq.is_set();
            irq.set(self.level(vector));
            if trigger == Trigger::Event && was_raised && new & !old != 0 {
                irq.send_again();
            }
        }
    }

    /// Whether any of the interrupts that share a vector asks for it.
    fn level(&self, vector: u16) -> bool {
        self.all.iter().any(|intr| intr.vector == vector && intr.active != 0)
    }
}

impl Register {
    /// Whether software can clear bits, by the policies.
    pub(crate) const fn is_clearable(&self) -> bool {
        self.access().clearable() != 0 || self.has(super::Hooks::WRITE_WITH)
    }
}
