//! The rules of a layout, applied to blocks of registers.

use super::{Bar, Descriptor, Ids};
use crate::layout::{self, BarKind, Check, Extent, LayoutError};
use crate::model::Register;

/// Checks of blocks: each block as a whole is checked like a register, after its registers.
impl Descriptor {
    /// Returns the registers of a block as a device's registers, to check them.
    #[doc(hidden)]
    pub const fn of_block(registers: &'static [Register]) -> Self {
        let nobody =
            Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 };
        let room = Bar::new(BarKind::Mem64, 1 << 62);
        Descriptor::new("", nobody).with_bar(0, room).with_registers(registers)
    }

    /// Checks a block: its registers, its place and the places of its elements.
    pub(super) fn check_block(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        let block = &self.blocks[index];
        let alone = Self::of_block(block.registers()).with_interrupts(block.interrupts());
        let inside = alone.all_crowded();
        for register in 0..alone.registers.len() {
            alone.check_register(register, &inside)?;
        }
        alone.check_effects()?;
        for intr in 0..alone.composed.len() {
            alone.check_intr_registers(intr)?;
        }
        self.check_block_selector(index)?;
        self.check_block_vectors(index)?;
        self.check_block_array(index)?;
        self.check_block_place(index, crowded)
    }

    /// The part of `check_block` for the length and the stride of an array.
    #[doc(hidden)]
    pub const fn check_block_array(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        if block.is_placeholder() {
            return Ok(());
        }
        let extent = block.extent();
        if let Err(error) = layout::spaced(&extent) {
            return Err(error);
        }
        if extent.count == 1 {
            return Ok(());
        }
        if let Err(error) = layout::block_spaced(&extent, block.alignment()) {
            return Err(error);
        }
        match self.bar(block.bar()) {
            Some(bar) => layout::inside(&extent, block.bar(), bar.size),
            None => Ok(()),
        }
    }

    /// The part of `check_block` for the offset. Only registers and blocks that are `crowded` are
    /// compared with each other.
    #[doc(hidden)]
    pub const fn check_block_place(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        let block = &self.blocks[index];
        if block.is_placeholder() {
            return Ok(());
        }
        let (bar, extent) = (block.bar(), block.extent());
        if let Err(error) = layout::block_aligned(&extent, block.alignment()) {
            return Err(error);
        }
        if block.is_body() {
            // The capability has been checked, and all others are compared with the capability.
            return Ok(());
        }
        if let Err(error) = self.check_block_inside(&extent, bar) {
            return Err(error);
        }
        if let Err(error) = self.check_block_unshared(index) {
            return Err(error);
        }
        self.check_apart_from_earlier(self.registers.len() + index, crowded)
    }

    /// Compares a block or a memory with all that is `crowded` and counts before it: registers,
    /// then blocks, then memories.
    pub(super) const fn check_apart_from_earlier(
        &self,
        own: usize,
        crowded: &[bool],
    ) -> Check<'static> {
        if !crowded[own] {
            return Ok(());
        }
        let (bar, extent) = self.bar_and_extent(own);
        let mut earlier = 0;
        while earlier < own {
            if crowded[earlier] {
                let (other_bar, other) = self.bar_and_extent(earlier);
                if other_bar == bar
                    && let Err(error) = layout::disjoint(&extent, &other)
                {
                    return Err(error);
                }
            }
            earlier += 1;
        }
        Ok(())
    }

    /// Returns the place of a register or, for larger indices, of a block or a memory.
    const fn bar_and_extent(&self, index: usize) -> (u8, Extent<'static>) {
        if index < self.registers.len() {
            let register = &self.registers[index];
            return (register.bar(), register.extent());
        }
        let index = index - self.registers.len();
        if index < self.blocks.len() {
            let block = &self.blocks[index];
            return (block.bar(), block.extent());
        }
        let memory = &self.memories[index - self.blocks.len()];
        (memory.bar(), memory.extent())
    }

    /// Checks that a block lies in configuration space, or in a declared BAR.
    /// [`Descriptor::check_block_array`] checks the end of an array in a BAR.
    const fn check_block_inside(&self, extent: &Extent<'static>, bar: u8) -> Check<'static> {
        if bar == layout::CONFIG {
            return self.check_in_config(extent);
        }
        match self.bar(bar) {
            Some(declared) if extent.count == 1 => layout::inside(extent, bar, declared.size),
            Some(_) => Ok(()),
            None => {
                let (kind, register) = (extent.kind, extent.name);
                Err(LayoutError::MissingBar { kind, register, bar })
            }
        }
    }

    /// Compares a structure of the runtime's, which has pages of its own, with all blocks.
    pub(super) const fn check_apart_from_blocks(
        &self,
        structure: &Extent<'static>,
        bar: u8,
    ) -> Check<'static> {
        let mut i = 0;
        while i < self.blocks.len() {
            let other = &self.blocks[i];
            if other.bar() == bar
                && !other.is_body()
                && let Err(error) = layout::own_pages(structure, &other.extent())
            {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }
}
