//! Where registers are, by their slots.

use super::Descriptor;
use crate::model::{Register, Slot};

impl Descriptor {
    /// Returns the register that a slot names.
    ///
    /// # Panics
    ///
    /// If there is no such register.
    #[inline]
    pub const fn register(&self, slot: Slot) -> &'static Register {
        match slot.block {
            None => &self.registers[slot.register],
            Some(at) => &self.blocks[at.block].registers()[slot.register],
        }
    }

    /// Returns the BAR whose registers an access to a BAR reaches: the one that it mirrors, or
    /// itself.
    pub(crate) fn origin(&self, bar: u8) -> u8 {
        let declared = self.bars.get(usize::from(bar)).copied().flatten();
        declared.and_then(|bar| bar.mirrored()).unwrap_or(bar)
    }

    /// Returns whether the most significant byte of a register has the lowest address.
    pub(crate) fn is_big(&self, slot: Slot) -> bool {
        let bar = self.bars.get(usize::from(self.locate(slot).0)).copied().flatten();
        self.register(slot).is_big(bar.is_some_and(|bar| bar.is_big_endian()))
    }

    /// Returns every element of every register that exists, those of blocks after those of the
    /// device.
    pub fn slots(&self) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        self.slots_with(|_| true)
    }

    /// Returns every element of the registers that a filter selects.
    pub(crate) fn slots_with(
        &self,
        wanted: fn(&Register) -> bool,
    ) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        let registers: Vec<_> =
            (0..self.blocks.len()).map(|index| self.registers_in(Some(index))).collect();
        let blocks = self.blocks.iter().enumerate().zip(registers);
        let blocks = blocks.flat_map(move |((block_index, block), registers)| {
            (0..block.count() as usize).flat_map(move |element| {
                slots_of(registers.clone(), wanted)
                    .map(move |(register, slot)| (register, slot.in_block(block_index, element)))
            })
        });
        slots_of(self.registers_in(None), wanted).chain(blocks)
    }

    /// Returns the location of a slot: its BAR, and its offset in the BAR.
    pub(crate) fn locate(&self, slot: Slot) -> (u8, u64) {
        let register = self.register(slot);
        let offset = register.offset_of(slot.element);
        let Some(at) = slot.block else { return (register.bar(), offset) };
        let block = &self.blocks[at.block];
        (block.bar(), block.offset_of(at.element) + offset)
    }

    /// Returns the number of a slot's register. Registers of blocks come after those of the device;
    /// elements share a number.
    pub(crate) fn number(&self, slot: Slot) -> usize {
        let Some(at) = slot.block else { return slot.register };
        let earlier = self.blocks[..at.block].iter().map(|block| block.registers().len());
        self.registers.len() + earlier.sum::<usize>() + slot.register
    }

    /// Returns how many register numbers exist.
    pub(crate) fn numbers(&self) -> usize {
        let in_blocks = self.blocks.iter().map(|block| block.registers().len());
        self.registers.len() + in_blocks.sum::<usize>()
    }
}

pub(super) fn slots_of(
    registers: impl Iterator<Item = (usize, &'static Register)>,
    wanted: fn(&Register) -> bool,
) -> impl Iterator<Item = (&'static Register, Slot)> {
    let registers = registers.filter(move |(_, register)| wanted(register));
    registers.flat_map(|(register_index, register)| {
        (0..register.count() as usize)
            .map(move |element| (register, Slot::new(register_index, element)))
    })
}
