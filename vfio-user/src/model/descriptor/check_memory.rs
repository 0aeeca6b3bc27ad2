//! The rules of memory, applied to a whole declaration.

use super::Descriptor;
use crate::layout::{self, Check, Extent, LayoutError};

impl Descriptor {
    /// Checks that the field of a memory has as many bytes as its range.
    #[doc(hidden)]
    pub const fn check_memory_length(&self, index: usize, bytes: u64) -> Check<'static> {
        let memory = &self.memories[index];
        layout::memory_length(memory.name(), bytes, memory.start(), memory.end())
    }

    /// Checks the range of a memory: it lies in its BAR, apart from all registers, blocks and
    /// earlier memories, and from memory that clients map. Of these only the `crowded` ones are
    /// compared with each other.
    #[doc(hidden)]
    pub const fn check_memory(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        let memory = &self.memories[index];
        let (bar, extent) = (memory.bar(), memory.extent());
        if let Err(error) = layout::memory_range(memory.name(), memory.start(), memory.end()) {
            return Err(error);
        }
        let Some(declared) = self.bar(bar) else {
            let (kind, register) = (extent.kind, extent.name);
            return Err(LayoutError::MissingBar { kind, register, bar });
        };
        if let Err(error) = layout::inside(&extent, bar, declared.size) {
            return Err(error);
        }
        if let Err(error) = self.check_apart_from_shared(&extent, bar) {
            return Err(error);
        }
        let place = self.registers.len() + self.blocks.len() + index;
        self.check_apart_from_earlier(place, crowded)
    }

    /// Compares a structure of the runtime's, which has pages of its own, with all memories.
    pub(super) const fn check_apart_from_memories(
        &self,
        structure: &Extent<'static>,
        bar: u8,
    ) -> Check<'static> {
        let mut i = 0;
        while i < self.memories.len() {
            let other = &self.memories[i];
            if other.bar() == bar
                && let Err(error) = layout::own_pages(structure, &other.extent())
            {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }
}
