//! The rule that registers, blocks, memories and places without a model do not overlap.

use super::super::Descriptor;
use crate::layout::{self, Check, Extent, Reach};

/// Marks the registers, and behind them the blocks, the memories and the places without a model,
/// that share bytes with another one or lie between the elements of one.
pub const fn crowded<const N: usize>(descriptor: &Descriptor) -> [bool; N] {
    let mut crowded = [false; N];
    mark_crowded(descriptor, &mut [Reach::EMPTY; N], &mut crowded);
    crowded
}

pub(super) fn all_crowded(descriptor: &Descriptor) -> Vec<bool> {
    let modelled = descriptor.registers.len() + descriptor.own_blocks + descriptor.memories.len();
    let count = modelled + descriptor.unmodelled.len();
    let mut crowded = vec![false; count];
    mark_crowded(descriptor, &mut vec![Reach::EMPTY; count], &mut crowded);
    crowded
}

const fn mark_crowded(descriptor: &Descriptor, reaches: &mut [Reach], crowded: &mut [bool]) {
    let mut index = 0;
    while index < descriptor.registers.len() {
        let register = &descriptor.registers[index];
        reaches[index] = Reach::new(register.bar(), &register.extent(), index);
        index += 1;
    }
    let blocks = descriptor.registers.len() + descriptor.own_blocks;
    while index < blocks {
        let block = &descriptor.blocks[index - descriptor.registers.len()];
        // The capability that holds the block is placed instead. One without elements has no place.
        if !block.is_body() && block.count() > 0 {
            reaches[index] = Reach::new(block.bar(), &block.extent(), index);
        }
        index += 1;
    }
    while index < reaches.len() {
        let (bar, extent) = bar_and_extent(descriptor, index);
        reaches[index] = Reach::new(bar, &extent, index);
        index += 1;
    }
    layout::mark_crowded(reaches, crowded);
}

/// Compares a block, a memory or a place without a model with all that is `crowded` and counts
/// before it: registers, then blocks, then memories, then places without a model.
pub(super) const fn check_apart_from_earlier(
    descriptor: &Descriptor,
    own: usize,
    crowded: &[bool],
) -> Check<'static> {
    if !crowded[own] {
        return Ok(());
    }
    let (bar, extent) = bar_and_extent(descriptor, own);
    let mut earlier = 0;
    while earlier < own {
        if crowded[earlier] {
            let (other_bar, other) = bar_and_extent(descriptor, earlier);
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

/// Returns the place of a register or, for larger indices, of a block, a memory, or of what has no
/// model.
const fn bar_and_extent(descriptor: &Descriptor, index: usize) -> (u8, Extent<'static>) {
    if index < descriptor.registers.len() {
        let register = &descriptor.registers[index];
        return (register.bar(), register.extent());
    }
    let index = index - descriptor.registers.len();
    if index < descriptor.own_blocks {
        let block = &descriptor.blocks[index];
        return (block.bar(), block.extent());
    }
    let index = index - descriptor.own_blocks;
    if index < descriptor.memories.len() {
        let memory = &descriptor.memories[index];
        return (memory.bar(), memory.extent());
    }
    let place = &descriptor.unmodelled[index - descriptor.memories.len()];
    (place.bar(), place.extent())
}
