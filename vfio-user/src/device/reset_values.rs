//! The reset values of registers and memories.

use crate::model::{Descriptor, Register, ResetScope, Slot};

/// The value of every stored register after a reset: its declared value, or the value that the
/// device was constructed with. The same for memories.
#[derive(Debug)]
pub(crate) struct ResetValues {
    pub(super) descriptor: Descriptor,
    /// In the order of the declaration.
    pub(super) constructed: Box<[(Slot, u64)]>,
    pub(super) memories: MemoryContents,
}

/// The contents of every memory that is reset to those of its construction, if these are not
/// zeros: then nothing is kept.
#[derive(Debug)]
pub(super) struct MemoryContents(pub(super) Box<[Option<Box<[u8]>>]>);

impl ResetValues {
    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the value to which a reset sets a register; `None` if it does not cover it.
    pub(crate) fn value_after(&self, scope: ResetScope, slot: Slot) -> Option<u64> {
        let is_reset = self.descriptor.is_reset(slot, scope);
        is_reset.then(|| self.value(self.descriptor.register(slot), slot))
    }

    pub(super) fn value(&self, register: &Register, slot: Slot) -> u64 {
        register.reset().unwrap_or_else(|| {
            let found =
                self.constructed.binary_search_by_key(&place(slot), |(slot, _)| place(*slot));
            found.map_or(0, |index| self.constructed[index].1)
        })
    }
}

/// The place of a slot in the declaration.
fn place(slot: Slot) -> [usize; 4] {
    let (block, element) = slot.block.map_or((0, 0), |at| (at.block + 1, at.element));
    [block, element, slot.register, slot.element]
}
