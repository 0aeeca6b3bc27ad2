//! The rules of memory, applied to a whole declaration.

use super::super::Descriptor;
use super::crowded::check_apart_from_earlier;
use super::mirror::bar_of;
use super::shared::check_apart_from_shared;
use crate::layout::{self, Check, Extent, Kind};

/// Checks that the field of a memory has as many bytes as its range.
pub const fn check_memory_length(
    descriptor: &Descriptor,
    index: usize,
    bytes: u64,
) -> Check<'static> {
    let memory = &descriptor.memories[index];
    layout::memory_length(memory.name(), bytes, memory.start(), memory.end())
}

/// Checks the range of a memory: it lies in its BAR, apart from all registers, blocks and
/// earlier memories, and from memory that clients map. Of these only the `crowded` ones are
/// compared with each other.
pub const fn check_memory(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let memory = &descriptor.memories[index];
    let (bar, extent) = (memory.bar(), memory.extent());
    let (start, end) = (memory.start(), memory.end());
    if let Err(error) = layout::memory_range(Kind::Memory, memory.name(), start, end) {
        return Err(error);
    }
    let declared = match bar_of(descriptor, &extent, bar) {
        Ok(declared) => declared,
        Err(error) => return Err(error),
    };
    if let Err(error) = layout::inside(&extent, bar, declared.size) {
        return Err(error);
    }
    if let Err(error) = check_apart_from_shared(descriptor, &extent, bar) {
        return Err(error);
    }
    let place = descriptor.registers.len() + descriptor.blocks.len() + index;
    check_apart_from_earlier(descriptor, place, crowded)
}

/// Compares a structure of the runtime's, which has pages of its own, with all memories.
pub(super) const fn check_apart_from_memories(
    descriptor: &Descriptor,
    structure: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let mut i = 0;
    while i < descriptor.memories.len() {
        let other = &descriptor.memories[i];
        if other.bar() == bar
            && let Err(error) =
                layout::own_pages(structure, &other.extent(), descriptor.shares_msix_pages)
        {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
