//! Blocks in blocks, by the elements that contain each other.

use std::iter;

use super::Descriptor;
use crate::model::{Block, BlockElement, find_block};

impl Descriptor {
    /// Returns the index of the block with a name; of one in another, `rings.channels`.
    pub(crate) const fn block_index(&self, path: &str) -> Option<usize> {
        find_block(self.blocks, path)
    }

    /// Returns the blocks that lie in no other one.
    pub(crate) fn own_blocks(&self) -> &'static [Block] {
        &self.blocks[..self.own_blocks]
    }

    /// Returns the blocks directly in `block`, or those in no other one, each with its index.
    pub(crate) fn blocks_in(
        &self,
        block: Option<usize>,
    ) -> impl Iterator<Item = (usize, &'static Block)> + use<> {
        self.blocks.iter().enumerate().filter(move |(_, one)| one.enclosing() == block)
    }

    /// Returns the element that contains an element of a block in another one.
    pub(crate) fn around(&self, at: BlockElement) -> Option<BlockElement> {
        let block = self.blocks.get(at.block)?;
        let element = at.element.checked_div(block.own_count() as usize)?;
        Some(BlockElement { block: block.enclosing()?, element })
    }

    /// Returns whether an element is `outer`, or lies in it.
    pub(crate) fn is_inside(&self, inner: Option<BlockElement>, outer: BlockElement) -> bool {
        iter::successors(inner, |at| self.around(*at)).any(|at| at == outer)
    }

    /// Returns an element, and all elements that lie in it; nothing if it does not exist.
    pub(crate) fn elements_inside(
        &self,
        outer: BlockElement,
    ) -> impl Iterator<Item = BlockElement> + use<> {
        let blocks = self.blocks;
        let block = blocks.get(outer.block);
        let total = block.map_or(0, Block::count) as usize;
        let inner = block.map_or(0..0, Block::inner_range);
        let indices = iter::once(outer.block).chain(inner).filter(move |_| outer.element < total);
        indices.flat_map(move |block| {
            let count = blocks[block].count() as usize / total;
            let first = outer.element * count;
            (first..first + count).map(move |element| BlockElement { block, element })
        })
    }
}
