//! The rules of blocks in blocks.

use super::super::Descriptor;
use super::member::member;
use crate::layout::{Check, LayoutError};
use crate::model::{Block, MAX_LEVELS};

/// The longest name of a block with those of the blocks around it: the id of its section is
/// `block.` and the name.
const LONGEST_PATH: u64 = 64 - 6;

/// Checks that as many blocks lie around the blocks in a block as can, and as their hooks have
/// indices for; and that a stream takes their names.
pub const fn check_block_nesting(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let (mut step, blocks) = (0, descriptor.blocks);
    while step <= blocks[index].inner().len() {
        let at = member(descriptor, index, step);
        let (block, name) = (&blocks[at], blocks[at].name());
        if block.depth() > MAX_LEVELS {
            return Err(LayoutError::BlockDepth { block: name, most: MAX_LEVELS as u64 });
        }
        let needed = block.depth() as u64 + 1;
        if let Some(indices) = block.indices()
            && indices as u64 != needed
        {
            return Err(LayoutError::BlockIndices { block: name, indices: indices as u64, needed });
        }
        let len = path_len(blocks, at);
        if len > LONGEST_PATH {
            return Err(LayoutError::BlockPath { block: name, len, most: LONGEST_PATH });
        }
        step += 1;
    }
    Ok(())
}

/// Returns the length of a block's name with those of the blocks around it.
const fn path_len(blocks: &[Block], index: usize) -> u64 {
    let mut len = blocks[index].name().len() as u64;
    let mut at = index;
    while let Some(enclosing) = blocks[at].enclosing() {
        at = enclosing;
        len += blocks[at].name().len() as u64 + 1;
    }
    len
}
