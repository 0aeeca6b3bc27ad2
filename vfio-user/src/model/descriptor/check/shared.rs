//! The rules of memory that clients map, applied to a whole declaration.

use super::super::Descriptor;
use super::member::member;
use super::raw::check_apart_from_raw;
use crate::layout::{self, Check, Extent};
use crate::model::{Block, RegisterFlags};

/// Checks the areas of a BAR that clients may map.
pub(super) const fn check_shared(descriptor: &Descriptor, index: u8) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
    if bar.is_shared()
        && let Err(error) = layout::shareable(index, bar.kind)
    {
        return Err(error);
    }
    let mut area_index = 0;
    while area_index < bar.shared_count() {
        if let Err(error) = check_shared_area(descriptor, index, area_index) {
            return Err(error);
        }
        area_index += 1;
    }
    Ok(())
}

/// Checks one of the areas of a BAR that clients may map.
pub const fn check_shared_area(
    descriptor: &Descriptor,
    index: u8,
    area_index: usize,
) -> Check<'static> {
    let Some(bar) = &descriptor.bars[index as usize] else { return Ok(()) };
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
pub const fn check_unshared(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let (extent, bar) = (register.extent(), register.bar());
    if !register.is(RegisterFlags::WATCH) {
        return check_apart_from_shared(descriptor, &extent, bar);
    }
    if is_in_shared(descriptor, &extent, bar) || is_watched_by_messages(descriptor, bar) {
        Ok(())
    } else {
        layout::nothing_to_watch(&extent, bar)
    }
}

/// The same for the registers of a block, which lies in one such area or in none.
pub(super) const fn check_block_unshared(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let block = &descriptor.blocks[index];
    let (extent, bar) = (block.extent(), block.bar());
    let is_shared = is_in_shared(descriptor, &extent, bar);
    if !is_shared && let Err(error) = check_apart_from_shared(descriptor, &extent, bar) {
        return Err(error);
    }
    let mut step = 0;
    while step <= block.inner().len() {
        let inside = &descriptor.blocks[member(descriptor, index, step)];
        if let Err(error) = check_registers_unshared(descriptor, inside, is_shared) {
            return Err(error);
        }
        step += 1;
    }
    Ok(())
}

/// The same for the registers of one block alone; `is_shared` if it lies in such an area.
const fn check_registers_unshared(
    descriptor: &Descriptor,
    block: &Block,
    is_shared: bool,
) -> Check<'static> {
    let (registers, bar) = (block.registers(), block.bar());
    let mut i = 0;
    while i < registers.len() {
        let own = registers[i].extent();
        let Some(offset) = own.offset.checked_add(block.offset_of(0)) else { return Ok(()) };
        let placed = Extent { offset, ..own };
        match registers[i].is(RegisterFlags::WATCH) {
            true if !is_shared && !is_watched_by_messages(descriptor, bar) => {
                return layout::nothing_to_watch(&placed, bar);
            }
            false if is_shared => return check_apart_from_shared(descriptor, &placed, bar),
            _ => {}
        }
        i += 1;
    }
    Ok(())
}

const fn is_watched_by_messages(descriptor: &Descriptor, bar: u8) -> bool {
    match descriptor.bar(bar) {
        Some(declared) => declared.is_watched_by_messages(),
        None => false,
    }
}

const fn is_in_shared(descriptor: &Descriptor, extent: &Extent<'static>, bar: u8) -> bool {
    let Some(declared) = descriptor.bar(bar) else { return false };
    let mut area_index = 0;
    while area_index < declared.shared_count() {
        if layout::is_within(extent, declared.shared_area(area_index)) {
            return true;
        }
        area_index += 1;
    }
    false
}

/// Checks that an extent lies outside the memory that clients map, and outside raw ranges.
pub(super) const fn check_apart_from_shared(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let Some(declared) = descriptor.bar(bar) else { return Ok(()) };
    let mut area_index = 0;
    while area_index < declared.shared_count() {
        if let Err(error) = layout::unshared(extent, bar, declared.shared_area(area_index)) {
            return Err(error);
        }
        area_index += 1;
    }
    check_apart_from_raw(descriptor, extent, bar)
}
