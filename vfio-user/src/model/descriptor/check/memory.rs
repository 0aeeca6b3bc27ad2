//! The rules of memory, applied to a whole declaration.

use super::super::Descriptor;
use super::range::check_range;
use crate::layout::{self, Check, Kind};

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
    let place = descriptor.registers.len() + descriptor.own_blocks + index;
    check_range(descriptor, &extent, bar, place, crowded)
}
