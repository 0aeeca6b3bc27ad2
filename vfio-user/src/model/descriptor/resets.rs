//! Which registers a reset covers.

use super::Descriptor;
use super::slots::slots_of;
use crate::model::{BlockElement, Register, RegisterFlags, ResetKind, ResetScope, ResetSet, Slot};

impl Descriptor {
    /// Returns the domains of soft resets over which a register or a block keeps its value.
    pub(crate) fn soft_domains(&self) -> impl Iterator<Item = u8> + use<> {
        let own = self.registers.iter().map(Register::kept_over);
        let blocks = self.blocks.iter().flat_map(|block| {
            let registers = block.registers().iter().map(Register::kept_over);
            registers.chain([block.kept_over()])
        });
        own.chain(blocks).fold(ResetSet::EMPTY, ResetSet::union).soft_domains()
    }

    /// Returns whether a register keeps its value over a reset.
    pub(crate) fn survives(&self, slot: Slot, kind: ResetKind) -> bool {
        let block = slot.block.map(|at| &self.blocks[at.block]);
        self.register(slot).survives(kind)
            || block.is_some_and(|block| block.kept_over().contains(kind))
    }

    /// Returns whether a reset covers a register.
    pub(crate) fn is_reset(&self, slot: Slot, scope: ResetScope) -> bool {
        match scope {
            ResetScope::Device(kind) => !self.survives(slot, kind),
            ResetScope::Element(at) => {
                self.is_inside(slot.block, at) && !self.register(slot).is(RegisterFlags::STICKY)
            }
        }
    }

    /// Returns every element of the device, or of the block's element, that a reset is for, also
    /// those that keep their values; of the registers that a filter selects.
    pub(crate) fn slots_within(
        &self,
        scope: ResetScope,
        wanted: fn(&Register) -> bool,
    ) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        let (device, element) = match scope {
            ResetScope::Device(_) => (Some(self.slots_with(wanted)), None),
            ResetScope::Element(at) => (None, Some(self.slots_of_element(at, wanted))),
        };
        device.into_iter().flatten().chain(element.into_iter().flatten())
    }

    /// Returns every element of the registers of a block's element, and of the blocks in it.
    fn slots_of_element(
        &self,
        at: BlockElement,
        wanted: fn(&Register) -> bool,
    ) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        let elements = self.elements_inside(at);
        let elements = elements.map(|at| (at, self.registers_in(Some(at.block))));
        let elements: Vec<_> = elements.collect();
        elements.into_iter().flat_map(move |(at, registers)| {
            let slots = slots_of(registers, wanted);
            slots.map(move |(register, slot)| (register, Slot { block: Some(at), ..slot }))
        })
    }
}
