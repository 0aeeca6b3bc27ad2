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
    /// Those of them that software has cleared since.
    acknowledged: u64,
    /// Those that the last message was sent for: it no longer pends once none of them is active.
    unsent: u64,
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
            acknowledged: 0,
            unsent: 0,
        }
    }

    /// The bits that ask for the interrupt now.
    fn look<D: PciDevice>(&self, device: &D) -> u64 {
        let load = |slot| device.load(slot);
        let enabled = self.enable.map_or(u64::MAX, load);
        load(self.status) & enabled & !self.mask.map_or(0, load)
    }

    /// Those that have been active all the time.
    fn before(&self) -> u64 {
        self.active & !self.acknowledged
    }

    /// A message is sent for these, if there are any. A level pends as long as any bit of it is set.
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
            (intr.active, intr.acknowledged, intr.unsent) = (0, 0, 0);
        }
    }

    /// Software clears bits of a register, if that is a status. One that is set again before the access
    /// is over has a new edge.
    #[inline]
    pub(crate) fn acknowledge(&mut self, status: Slot, cleared: u64) {
        for intr in self.all.iter_mut().filter(|intr| intr.status == status) {
            intr.acknowledged |= intr.active & cleared;
        }
    }

    /// Takes the registers as they are: what they ask for has been raised before.
    pub(crate) fn adopt<D: PciDevice>(&mut self, device: &D) {
        for intr in &mut self.all {
            intr.active = intr.look(device);
            intr.unsent = intr.active;
        }
    }

    /// Looks at the registers again, and raises and lowers what has changed.
    #[inline(never)]
    pub(crate) fn compose<D: PciDevice>(&mut self, device: &D, irq: impl Fn(u16) -> Irq) {
        for place in 0..self.all.len() {
            let intr = &self.all[place];
            let new = intr.look(device);
            if new != intr.active || new & intr.acknowledged != 0 {
                self.follow(place, new, &irq(intr.vector));
            }
        }
        for intr in &mut self.all {
            intr.acknowledged = 0;
        }
    }

    /// The bits of one interrupt have changed, or have been acknowledged and set again.
    fn follow(&mut self, place: usize, new: u64, irq: &Irq) {
        let vector = self.all[place].vector;
        let was_level = self.sharing(vector).any(|intr| intr.before() != 0);
        let intr = &mut self.all[place];
        let rising = new & !intr.before();
        (intr.active, intr.acknowledged) = (new, 0);
        let is_edge = rising != 0 && (intr.trigger == Trigger::Event || !was_level);
        let was_raised = irq.is_set();
        if is_edge && !(was_raised && irq.waits()) {
            for intr in self.all.iter_mut().filter(|intr| intr.vector == vector) {
                intr.unsent = 0;
            }
        }
        self.all[place].note_unsent(if is_edge { rising } else { 0 });
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

    /// Whether any of the interrupts that share a vector asks for it.
    fn level(&self, vector: u16) -> bool {
        self.sharing(vector).any(|intr| intr.active != 0)
    }
}

impl Register {
    /// Whether software can clear bits, by the policies.
    pub(crate) const fn is_clearable(&self) -> bool {
        self.access().clearable() != 0 || self.has(super::Hooks::WRITE_WITH)
    }
}
