//! The shape of a device at run time: how many elements of a block exist.

use std::sync::{Mutex, PoisonError};

use super::Descriptor;
use crate::layout::LayoutError;
use crate::model::Block;

/// Blocks of which one has another number of elements than declared.
struct Reshaped {
    declared: &'static [Block],
    index: usize,
    count: u32,
    blocks: &'static [Block],
}

/// All that were ever used. A declaration lives as long as the process, and so do its shapes; each
/// is made once, and there are no more than elements.
static RESHAPED: Mutex<Vec<Reshaped>> = Mutex::new(Vec::new());

impl Descriptor {
    /// Sets how many elements of a block exist, from the first one on: at least one, and no more
    /// than declared.
    ///
    /// Accesses to the others meet no register, and their state is not saved. State of a device
    /// with another number does not load, unless `grown_from` has it.
    ///
    /// # Errors
    ///
    /// [`LayoutError::NoSuchBlock`] or [`LayoutError::BlockCount`].
    pub fn set_block_count(
        &mut self,
        block: &'static str,
        count: u32,
    ) -> Result<(), LayoutError<'static>> {
        let index = self.blocks.iter().position(|one| one.name() == block);
        let Some(index) = index else { return Err(LayoutError::NoSuchBlock { block }) };
        let declared = self.blocks[index].count();
        if count == 0 || count > declared {
            let (count, declared) = (count.into(), declared.into());
            return Err(LayoutError::BlockCount { block, count, declared });
        }
        if count != declared {
            self.blocks = reshaped(self.blocks, index, count);
        }
        Ok(())
    }
}

fn reshaped(declared: &'static [Block], index: usize, count: u32) -> &'static [Block] {
    let mut known = RESHAPED.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |one: &&Reshaped| {
        std::ptr::eq(one.declared, declared) && one.index == index && one.count == count
    };
    if let Some(one) = known.iter().find(same) {
        return one.blocks;
    }
    let mut blocks = declared.to_vec();
    blocks[index] = blocks[index].with_count(count);
    let blocks: &'static [Block] = blocks.leak();
    known.push(Reshaped { declared, index, count, blocks });
    blocks
}
