//! The rules of memory that clients map, applied to a whole declaration.

use super::Descriptor;
use crate::layout::{self, Check, Extent};
use crate::model::RegisterFlags;

impl Descriptor {
    /// Checks the areas of a BAR that clients may map.
    pub(super) const fn check_shared(&self, index: u8) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        if bar.is_shared()
            && let Err(error) = layout::shareable(index, bar.kind)
        {
            return Err(error);
        }
        let mut area_index = 0;
        while area_index < bar.shared_count() {
            if let Err(error) = self.check_shared_area(index, area_index) {
                return Err(error);
            }
            area_index += 1;
        }
        Ok(())
    }

    /// Checks one of the areas of a BAR that clients may map.
    #[doc(hidden)]
    pub const fn check_shared_area(&self, index: u8, area_index: usize) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        let area = bar.shared_area(area_index);
        if let Err(error) = layout::shared_area(index, area, bar.size) {
            return Err(error);
        }
        let mut earlier = 0;
        while earlier < area_index {
            if let Err(error) = layout::shared_apart(index, area, bar.shared_area(earlier)) {
                return Err(error);
            }
            earlier += 1;
        }
        Ok(())
    }

    /// Checks that a register lies in memory that clients map exactly if it is watched.
    #[doc(hidden)]
    pub const fn check_unshared(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let (extent, bar) = (register.extent(), register.bar());
        if !register.is(RegisterFlags::WATCH) {
            return self.check_apart_from_shared(&extent, bar);
        }
        if self.is_in_shared(&extent, bar) || self.is_watched_by_messages(bar) {
            Ok(())
        } else {
            layout::nothing_to_watch(&extent, bar)
        }
    }

    /// The same for the registers of a block, which lies in one such area or in none.
    pub(super) const fn check_block_unshared(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        let (extent, bar) = (block.extent(), block.bar());
        let is_shared = self.is_in_shared(&extent, bar);
        if !is_shared && let Err(error) = self.check_apart_from_shared(&extent, bar) {
            return Err(error);
        }
        let registers = block.registers();
        let mut i = 0;
        while i < registers.len() {
            let own = registers[i].extent();
            let Some(offset) = own.offset.checked_add(extent.offset) else { return Ok(()) };
            let placed = Extent { offset, ..own };
            match registers[i].is(RegisterFlags::WATCH) {
                true if !is_shared && !self.is_watched_by_messages(bar) => {
                    return layout::nothing_to_watch(&placed, bar);
                }
                false if is_shared => return self.check_apart_from_shared(&placed, bar),
                _ => {}
            }
            i += 1;
        }
        Ok(())
    }

    const fn is_watched_by_messages(&self, bar: u8) -> bool {
        match self.bar(bar) {
            Some(declared) => declared.is_watched_by_messages(),
            None => false,
        }
    }

    const fn is_in_shared(&self, extent: &Extent<'static>, bar: u8) -> bool {
        let Some(declared) = self.bar(bar) else { return false };
        let mut area_index = 0;
        while area_index < declared.shared_count() {
            if layout::is_within(extent, declared.shared_area(area_index)) {
                return true;
            }
            area_index += 1;
        }
        false
    }

    /// Checks that an extent lies outside the memory that clients map.
    pub(super) const fn check_apart_from_shared(
        &self,
        extent: &Extent<'static>,
        bar: u8,
    ) -> Check<'static> {
        let Some(declared) = self.bar(bar) else { return Ok(()) };
        let mut area_index = 0;
        while area_index < declared.shared_count() {
            if let Err(error) = layout::unshared(extent, bar, declared.shared_area(area_index)) {
                return Err(error);
            }
            area_index += 1;
        }
        Ok(())
    }
}
