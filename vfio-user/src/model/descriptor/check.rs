//! The rules of a layout, applied to a whole declaration.

use super::{Bar, Descriptor};
use crate::layout::{self, BarKind, Check, Extent, LayoutError, Reach};

/// Checks. Each rule is checked in constant evaluation, and again after `configure`.
impl Descriptor {
    /// Checks the whole declaration.
    ///
    /// # Errors
    ///
    /// The first rule that is violated.
    pub fn validate(&self) -> Result<(), LayoutError<'static>> {
        layout::vendor(self.ids.vendor.into())?;
        layout::class(self.ids.class.into())?;
        for bar in 0..6 {
            self.check_bar(bar)?;
            self.check_accesses(bar)?;
            self.check_shared(bar)?;
        }
        let crowded = self.all_crowded();
        for index in 0..self.registers.len() {
            self.check_register(index, &crowded)?;
            self.check_unshared(index)?;
        }
        for index in 0..self.blocks.len() {
            self.check_block(index, &crowded)?;
        }
        for index in 0..self.memories.len() {
            self.check_memory(index, &crowded)?;
        }
        for index in 0..self.capability_count() {
            self.check_capability(index)?;
        }
        self.check_effects()?;
        for index in 0..self.composed.len() {
            self.check_intr(index)?;
        }
        self.check_regions()?;
        if self.rom.is_some() {
            layout::rom_size(self.rom_size())?;
        }
        if self.msi != 0 {
            self.check_msi()?;
        }
        self.check_msix()
    }

    /// Checks the size and the place of a BAR.
    ///
    /// # Errors
    ///
    /// The first rule that is violated.
    pub const fn check_bar(&self, index: u8) -> Check<'static> {
        let Some(bar) = self.bars[index as usize] else { return Ok(()) };
        if let Err(error) = layout::bar_size(index, bar.kind, bar.size, self.is_express()) {
            return Err(error);
        }
        if bar.prefetchable
            && let Err(error) = layout::prefetchable(index, bar.kind)
        {
            return Err(error);
        }
        layout::bar_pair(index, self.bar_kinds())
    }

    /// Checks a register's place, its overlaps with earlier registers, and its values.
    pub(super) fn check_register(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        self.check_array(index)?;
        self.check_place(index, crowded)?;
        self.check_mask(index)?;
        self.check_writable(index)?;
        self.check_reset(index)?;
        self.check_default(index)?;
        self.check_overlay(index, crowded)?;
        self.check_condition(index)?;
        self.check_selector(index)?;
        self.check_answers(index)?;
        self.check_behaviour(index)
    }

    /// The part of `check_register` for the length and the stride of an array.
    #[doc(hidden)]
    pub const fn check_array(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        if let Err(error) = layout::spaced(&register.extent()) {
            return Err(error);
        }
        match self.bar(register.bar()) {
            Some(bar) if register.extent().count > 1 => {
                layout::inside(&register.extent(), register.bar(), bar.size)
            }
            _ => Ok(()),
        }
    }

    /// Marks the registers, and behind them the blocks and the memories, that share bytes with
    /// another one or lie between the elements of one.
    #[doc(hidden)]
    pub const fn crowded<const N: usize>(&self) -> [bool; N] {
        let mut crowded = [false; N];
        self.mark_crowded(&mut [Reach::EMPTY; N], &mut crowded);
        crowded
    }

    pub(super) fn all_crowded(&self) -> Vec<bool> {
        let count = self.registers.len() + self.blocks.len() + self.memories.len();
        let mut crowded = vec![false; count];
        self.mark_crowded(&mut vec![Reach::EMPTY; count], &mut crowded);
        crowded
    }

    const fn mark_crowded(&self, reaches: &mut [Reach], crowded: &mut [bool]) {
        let mut index = 0;
        while index < self.registers.len() {
            let register = &self.registers[index];
            reaches[index] = Reach::new(register.bar(), &register.extent(), index);
            index += 1;
        }
        let blocks = self.registers.len() + self.blocks.len();
        while index < blocks {
            let block = &self.blocks[index - self.registers.len()];
            // The capability that holds the block is placed instead.
            if !block.is_body() {
                reaches[index] = Reach::new(block.bar(), &block.extent(), index);
            }
            index += 1;
        }
        while index < reaches.len() {
            let memory = &self.memories[index - blocks];
            reaches[index] = Reach::new(memory.bar(), &memory.extent(), index);
            index += 1;
        }
        layout::mark_crowded(reaches, crowded);
    }

    /// The part of `check_register` for the offset. Only registers that are `crowded` are compared
    /// with each other.
    #[doc(hidden)]
    pub const fn check_place(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        let register = &self.registers[index];
        let (bar, extent) = (register.bar(), register.extent());
        if bar == layout::CONFIG {
            if let Err(error) = layout::aligned(&extent) {
                return Err(error);
            }
            if let Err(error) = self.check_in_config(&extent) {
                return Err(error);
            }
            return self.check_apart(index, crowded);
        }
        let Some(declared) = self.bar(bar) else {
            let (kind, register) = (extent.kind, extent.name);
            return Err(LayoutError::MissingBar { kind, register, bar });
        };
        if let Err(error) = layout::aligned(&extent) {
            return Err(error);
        }
        if extent.count == 1
            && let Err(error) = layout::inside(&extent, bar, declared.size)
        {
            return Err(error);
        }
        self.check_apart(index, crowded)
    }

    /// Compares a register with the registers before it.
    const fn check_apart(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        if !crowded[index] {
            return Ok(());
        }
        let register = &self.registers[index];
        let (bar, extent) = (register.bar(), register.extent());
        let answers = register.all_answers(self.registers);
        let mut earlier = 0;
        while earlier < index {
            let other = &self.registers[earlier];
            let (other_extent, other_answers) = (other.extent(), other.all_answers(self.registers));
            if crowded[earlier]
                && other.bar() == bar
                && let Err(error) =
                    layout::apart((&extent, &answers), (&other_extent, &other_answers))
            {
                return Err(error);
            }
            earlier += 1;
        }
        Ok(())
    }

    /// The part of `check_register` for the implemented bits.
    #[doc(hidden)]
    pub const fn check_mask(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        layout::masks(register.name(), register.width() as u64, register.implemented(), 0)
    }

    /// The part of `check_register` for the writable bits.
    #[doc(hidden)]
    pub const fn check_writable(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(writable) = register.writable() else { return Ok(()) };
        layout::masks(register.name(), 8, register.implemented(), writable)
    }

    /// The part of `check_register` for the reset value.
    #[doc(hidden)]
    pub const fn check_reset(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(value) = register.reset() else { return Ok(()) };
        if let Err(error) = register.check_field_resets(value) {
            return Err(error);
        }
        layout::reset(register.name(), register.width() as u64, value, register.implemented())
    }

    /// The part of `check_register` for defaults of older state.
    #[doc(hidden)]
    pub const fn check_default(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(added) = register.since() else { return Ok(()) };
        let (name, width, default) = (register.name(), register.width() as u64, added.default);
        if let Err(error) = layout::default(name, width, default, register.implemented()) {
            return Err(error);
        }
        match register.first_unknown(default) {
            Some(field) => {
                let value = field.extract(default);
                Err(LayoutError::DefaultUnknownValue { default, field: field.name, value })
            }
            None => Ok(()),
        }
    }

    /// Checks the number of MSI vectors.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MsiVectors`].
    pub const fn check_msi(&self) -> Check<'static> {
        layout::msi_vectors(self.msi as u64)
    }

    /// Checks the MSI-X table and its pending bits.
    ///
    /// # Errors
    ///
    /// The first rule that is violated.
    pub const fn check_msix(&self) -> Check<'static> {
        let Some(msix) = self.msix else { return Ok(()) };
        if let Err(error) = layout::msix_vectors(msix.vectors as u64) {
            return Err(error);
        }
        if let Err(error) = layout::bar_index(msix.bar as u64) {
            return Err(error);
        }
        let Some(bar) = self.bars[msix.bar as usize] else { return Ok(()) };
        if let BarKind::Io = bar.kind {
            return Err(LayoutError::MsixInIoBar { bar: msix.bar });
        }
        let (table, pba) = (msix.table_extent(), msix.pba_extent());
        if let Err(error) = layout::msix_structure(&table, msix.bar, bar.size) {
            return Err(error);
        }
        if let Err(error) = layout::msix_structure(&pba, msix.bar, bar.size) {
            return Err(error);
        }
        if let Err(error) = layout::disjoint(&table, &pba) {
            return Err(error);
        }
        if let Err(error) = self.check_msix_apart(&table, msix.bar) {
            return Err(error);
        }
        self.check_msix_apart(&pba, msix.bar)
    }

    /// Checks that neither registers, memory nor clients reach an MSI-X structure.
    const fn check_msix_apart(&self, structure: &Extent<'static>, bar: u8) -> Check<'static> {
        if let Err(error) = self.check_apart_from_shared(structure, bar) {
            return Err(error);
        }
        let mut i = 0;
        while i < self.registers.len() {
            let register = &self.registers[i];
            if register.bar() == bar
                && let Err(error) = layout::own_pages(structure, &register.extent())
            {
                return Err(error);
            }
            i += 1;
        }
        if let Err(error) = self.check_apart_from_memories(structure, bar) {
            return Err(error);
        }
        self.check_apart_from_blocks(structure, bar)
    }

    pub(super) const fn bar(&self, bar: u8) -> Option<Bar> {
        if bar < 6 { self.bars[bar as usize] } else { None }
    }

    const fn bar_kinds(&self) -> [Option<BarKind>; 6] {
        let mut kinds = [None; 6];
        let mut bar = 0;
        while bar < 6 {
            if let Some(declared) = self.bars[bar] {
                kinds[bar] = Some(declared.kind);
            }
            bar += 1;
        }
        kinds
    }
}
