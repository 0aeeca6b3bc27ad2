//! A block and the blocks in it, one after the other.

use super::super::Descriptor;

/// Returns the index of a block itself for step 0, and for the others those of the blocks in it.
pub(super) const fn member(descriptor: &Descriptor, index: usize, step: usize) -> usize {
    if step == 0 { index } else { descriptor.blocks[index].inner_range().start + step - 1 }
}
