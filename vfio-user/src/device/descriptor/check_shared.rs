//! The rules of memory that clients map, applied to a whole declaration.

use super::Descriptor;
use crate::layout::{self, Check, Extent};

impl Descriptor {
    /// The areas of a BAR that clients may map.
    pub(super) const fn check_shared(&self, index: u8) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        if bar.is_shared()
            && let Err(error) = layout::shareable(index, bar.kind)
        {
            return Err(error);
        }
        let mut place = 0;
        while place < bar.shared_count() {
            if let Err(error) = self.check_shared_area(index, place) {
                return Err(error);
            }
            place += 1;
        }
        Ok(())
    }

    /// One of the areas of a BAR that clients may map.
    #[doc(hidden)]
    pub const fn check_shared_area(&self, index: u8, place: usize) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        let area = bar.shared_area(place);
        if let Err(error) = layout::shared_area(index, area, bar.size) {
            return Err(error);
        }
        let mut earlier = 0;
        while earlier < place {
            if let Err(error) = layout::shared_apart(index, area, bar.shared_area(earlier)) {
                return Err(error);
            }
            earlier += 1;
        }
        Ok(())
    }

    /// The part of [`Descriptor::check_register`] that is about memory that clients map.
    #[doc(hidden)]
    pub const fn check_unshared(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        self.check_apart_from_shared(&register.extent(), register.bar_index())
    }

    /// The part of [`Descriptor::check_block`] that is about memory that clients map.
    #[doc(hidden)]
    pub const fn check_block_unshared(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        self.check_apart_from_shared(&block.extent(), block.bar_index())
    }

    /// Nothing but memory lies where clients map.
    pub(super) const fn check_apart_from_shared(
        &self,
        extent: &Extent<'static>,
        bar: u8,
    ) -> Check<'static> {
        let Some(declared) = self.declared_bar(bar) else { return Ok(()) };
        let mut place = 0;
        while place < declared.shared_count() {
            if let Err(error) = layout::unshared(extent, bar, declared.shared_area(place)) {
                return Err(error);
            }
            place += 1;
        }
        Ok(())
    }
}
