//! The contents of memories after a reset.

use super::PciDevice;
use super::reset_values::MemoryContents;
use crate::layout::LayoutError;
use crate::model::descriptor::check::check_memory_length;
use crate::model::{Descriptor, MemoryReset};

impl MemoryContents {
    /// Gives a newly constructed device its memories: an empty one is filled with zeros.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MemoryLength`] for a memory of another length than its range.
    pub(super) fn establish<D: PciDevice>(
        device: &mut D,
        descriptor: &Descriptor,
    ) -> Result<Self, LayoutError<'static>> {
        let memories = descriptor.memories().iter().enumerate();
        let contents = memories.map(|(index, memory)| {
            if device.memory(index).is_empty() {
                // A declared range has a few MiB at most.
                device.allocate_memory(index, usize::try_from(memory.size()).unwrap_or(0));
            }
            check_memory_length(descriptor, index, device.memory(index).len() as u64)?;
            if memory.reset() == MemoryReset::Zero {
                device.memory_mut(index).fill(0);
            }
            let bytes = device.memory(index);
            let is_kept =
                memory.reset() == MemoryReset::Constructed && bytes.iter().any(|byte| *byte != 0);
            Ok(is_kept.then(|| bytes.into()))
        });
        contents.collect::<Result<_, _>>().map(MemoryContents)
    }

    /// Resets all memories but those that keep their contents. No hook is called.
    pub(super) fn restore<D: PciDevice>(&self, device: &mut D, descriptor: &Descriptor) {
        for (index, contents) in self.0.iter().enumerate() {
            let memory = device.memory_mut(index);
            match contents {
                Some(bytes) if bytes.len() == memory.len() => memory.copy_from_slice(bytes),
                _ if descriptor.memories()[index].reset() == MemoryReset::Keep => {}
                _ => memory.fill(0),
            }
        }
    }
}
