//! The way from a slot of a struct to a slot of one of its own blocks. Generated code takes one
//! step for each level.

use std::iter;
use std::ops::Range;

use super::block::Block;
use crate::model::{BlockElement, Slot};

/// Returns the block of a struct itself that contains a slot, and the slot as that block sees it.
/// The struct declares `own` blocks, and `blocks` are all that it has.
#[inline]
pub fn enter(blocks: &'static [Block], own: usize, slot: Slot) -> (Option<BlockElement>, Slot) {
    match slot.block {
        Some(at) if at.block < own => (slot.block, Slot { block: None, ..slot }),
        Some(at) => enter_inner(blocks, at, slot),
        None => (None, slot),
    }
}

fn enter_inner(blocks: &[Block], at: BlockElement, slot: Slot) -> (Option<BlockElement>, Slot) {
    let (own, inner) = enter_block(blocks, at.block);
    let Some(inner) = inner else { return (slot.block, slot) };
    let count = elements_in_each(blocks, at.block, own);
    let inner = BlockElement { block: inner, element: at.element % count };
    let own = BlockElement { block: own, element: at.element / count };
    (Some(own), Slot { block: Some(inner), ..slot })
}

/// Returns the block of a struct itself that contains a block, and the index of that within it;
/// `None` if it is the same one.
pub fn enter_block(blocks: &[Block], block: usize) -> (usize, Option<usize>) {
    let mut own = block;
    while let Some(around) = blocks.get(own).and_then(Block::enclosing) {
        own = around;
    }
    (own, (own != block).then(|| block - blocks[own].first_inner))
}

/// Does the same for elements of a block: the last value has the elements of the struct's own block
/// that contain them.
pub fn enter_elements(
    blocks: &[Block],
    block: usize,
    elements: Range<usize>,
) -> (usize, Option<usize>, Range<usize>) {
    let (own, inner) = enter_block(blocks, block);
    let count = elements_in_each(blocks, block, own);
    (own, inner, elements.start / count..elements.end / count)
}

/// Returns the number of elements of a block in each element of a block around it.
fn elements_in_each(blocks: &[Block], block: usize, around: usize) -> usize {
    let mut inside = iter::successors(Some(block), |block| blocks.get(*block)?.enclosing());
    let inside = inside.by_ref().take_while(|block| *block != around);
    inside.map(|block| blocks[block].own_count() as usize).product()
}
