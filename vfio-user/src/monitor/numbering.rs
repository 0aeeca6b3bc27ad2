//! Numbers for all registers of a device, each element of an array by itself.

use std::fmt;

use crate::model::{Descriptor, Slot};

/// Numbers all registers of a device in the order of their declarations, those of blocks after
/// those of the device.
#[derive(Debug)]
pub(crate) struct Numbering {
    /// Of each declared register the number of its first element.
    firsts: Box<[u64]>,
    /// One more than the last number.
    end: u64,
    descriptor: Descriptor,
}

impl Numbering {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let own = descriptor.registers().iter().map(|register| u64::from(register.count()));
        let in_blocks = descriptor.blocks().iter().flat_map(|block| {
            let elements = u64::from(block.count());
            block.registers().iter().map(move |register| elements * u64::from(register.count()))
        });
        let mut end = 0;
        let firsts = own.chain(in_blocks).map(|count| {
            let first = end;
            end += count;
            first
        });
        Numbering { firsts: firsts.collect(), end, descriptor: descriptor.clone() }
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns how many numbers there are.
    pub(crate) fn len(&self) -> u64 {
        self.end
    }

    pub(crate) fn number(&self, slot: Slot) -> u64 {
        let count = u64::from(self.descriptor.register(slot).count());
        let around = slot.block.map_or(0, |at| at.element as u64);
        self.firsts[self.descriptor.number(slot)] + around * count + slot.element as u64
    }

    /// Returns the register with a number; `None` if there is none, or if it does not exist in this
    /// device.
    pub(crate) fn slot(&self, number: u64) -> Option<Slot> {
        if number >= self.end {
            return None;
        }
        // Of blocks without elements, the last one that starts here has the number.
        let declared = self.firsts.partition_point(|first| *first <= number) - 1;
        let first = self.declared(declared)?;
        let count = u64::from(self.descriptor.register(first).count());
        let within = number - self.firsts[declared];
        let element = usize::try_from(within % count).ok()?;
        let around = usize::try_from(within / count).ok()?;
        let slot = Slot { element, ..first };
        let slot = slot.block.map_or(slot, |at| slot.in_block(at.block, around));
        self.descriptor.is_present(slot).then_some(slot)
    }

    /// Returns the first element of a register, by its place among all that are declared.
    pub(super) fn declared(&self, mut index: usize) -> Option<Slot> {
        let own = self.descriptor.registers().len();
        if index < own {
            return Some(Slot::new(index, 0));
        }
        index -= own;
        for (number, block) in self.descriptor.blocks().iter().enumerate() {
            match index.checked_sub(block.registers().len()) {
                Some(rest) => index = rest,
                None => return Some(Slot::new(index, 0).in_block(number, 0)),
            }
        }
        None
    }

    /// Displays the name of a register, as `PciFunction::peek` takes it.
    pub(crate) fn name(&self, slot: Slot) -> Name<'_> {
        Name { descriptor: &self.descriptor, slot }
    }
}

/// `status`, `ring[3]`, `queues[3].doorbell`, `rings[2].channels[1].head`.
pub(crate) struct Name<'a> {
    descriptor: &'a Descriptor,
    slot: Slot,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = self.descriptor.register(self.slot);
        if let Some(at) = self.slot.block {
            write!(f, "{}.", self.descriptor.blocks()[at.block].element(at.element))?;
        }
        f.write_str(register.name())?;
        if register.count() > 1 { write!(f, "[{}]", self.slot.element) } else { Ok(()) }
    }
}
