//! The rules of a layout, applied to blocks of registers.

use super::{Bar, Descriptor, Ids};
use crate::layout::{self, BarKind, Check, Extent, Kind, LayoutError};
use crate::register::Register;

/// Checking of blocks: as a whole each is like a register; its registers have been checked with it.
impl Descriptor {
    /// The registers of a block, as if they were a device's, to be checked like one.
    #[doc(hidden)]
    pub const fn of_block(registers: &'static [Register]) -> Self {
        let nobody =
            Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 };
        let room = Bar::new(BarKind::Mem64, 1 << 62);
        Descriptor::new("", nobody).bar(0, room).registers(registers)
    }

    /// Checks a block: its registers, its place and its elements'.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn check_block(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        let alone =
            Self::of_block(block.declared_registers()).composed(block.declared_interrupts());
        for register in 0..alone.registers.len() {
            alone.check_register(register, &[])?;
        }
        alone.check_effects()?;
        for intr in 0..alone.composed.len() {
            alone.check_intr_registers(intr)?;
        }
        self.check_block_vectors(index)?;
        self.check_block_array(index)?;
        self.check_block_place(index)
    }

    /// The part of [`Descriptor::check_block`] that is about the length and the stride of an array.
    #[doc(hidden)]
    pub const fn check_block_array(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
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
        match self.declared_bar(block.bar_index()) {
            Some(bar) => layout::inside(&extent, block.bar_index(), bar.size),
            None => Ok(()),
        }
    }

    /// The part of [`Descriptor::check_block`] that is about the offset.
    #[doc(hidden)]
    pub const fn check_block_place(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        let (bar, extent) = (block.bar_index(), block.extent());
        if let Err(error) = layout::block_aligned(&extent, block.alignment()) {
            return Err(error);
        }
        if block.is_body() {
            // The capability has been looked at, and all others look at that.
            return Ok(());
        }
        if let Err(error) = self.check_block_inside(&extent, bar) {
            return Err(error);
        }
        let mut i = 0;
        while i < self.registers.len() {
            let register = &self.registers[i];
            if register.bar_index() == bar
                && let Err(error) = layout::disjoint(&extent, &register.extent())
            {
                return Err(error);
            }
            i += 1;
        }
        if let Err(error) = self.check_block_unshared(index) {
            return Err(error);
        }
        self.check_apart_from_blocks(&extent, bar, index)
    }

    /// In configuration space, or in a BAR that is declared. Of an array in a BAR,
    /// [`Descriptor::check_block_array`] looks for the end.
    const fn check_block_inside(&self, extent: &Extent<'static>, bar: u8) -> Check<'static> {
        if bar == layout::CONFIG {
            return self.check_in_config(extent);
        }
        match self.declared_bar(bar) {
            Some(declared) if extent.count == 1 => layout::inside(extent, bar, declared.size),
            Some(_) => Ok(()),
            None => {
                let (kind, register) = (extent.kind, extent.name);
                Err(LayoutError::MissingBar { kind, register, bar })
            }
        }
    }

    /// Against the first `count` blocks.
    pub(super) const fn check_apart_from_blocks(
        &self,
        extent: &Extent<'static>,
        bar: u8,
        count: usize,
    ) -> Check<'static> {
        let mut i = 0;
        while i < count {
            let other = &self.blocks[i];
            let apart = match extent.kind {
                Kind::Structure => layout::own_pages(extent, &other.extent()),
                _ => layout::disjoint(extent, &other.extent()),
            };
            if other.bar_index() == bar
                && !other.is_body()
                && let Err(error) = apart
            {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }
}
