//! Inspection of memories, byte by byte.

use super::{PciFunction, Peek, PeekError};
use crate::bus::Contents;
use crate::device::PciDevice;

/// A byte of a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryByte {
    /// The index of the memory.
    memory: usize,
    offset: usize,
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns the byte of a memory that lies at an offset of a BAR.
    pub(super) fn memory_byte_at(&self, bar: u8, offset: u64) -> Option<MemoryByte> {
        let area = self.map(bar)?.areas().find(offset)?;
        let Contents::Memory(memory) = area.contents else { return None };
        let offset = usize::try_from(offset - area.range.start).ok()?;
        self.existing(MemoryByte { memory, offset })
    }

    /// Returns the byte with a name such as `buffer[3]`.
    pub(super) fn memory_byte(&self, name: &str) -> Option<MemoryByte> {
        let (name, offset) = name.strip_suffix(']')?.rsplit_once('[')?;
        let mut memories = self.descriptor().declared_memories().iter();
        let memory = memories.position(|memory| memory.name() == name)?;
        self.existing(MemoryByte { memory, offset: offset.parse().ok()? })
    }

    fn existing(&self, byte: MemoryByte) -> Option<MemoryByte> {
        (byte.offset < self.device().memory(byte.memory).len()).then_some(byte)
    }

    pub(super) fn peek_memory(&self, byte: MemoryByte) -> Peek {
        Peek::Known(self.device().memory(byte.memory)[byte.offset].into())
    }

    pub(super) fn poke_memory(
        &mut self,
        byte: MemoryByte,
        name: &str,
        value: u64,
    ) -> Result<(), PeekError> {
        let too_wide = |_| PeekError::TooWide { name: name.to_owned(), value };
        let value = u8::try_from(value).map_err(too_wide)?;
        self.device_mut().memory_mut(byte.memory)[byte.offset] = value;
        Ok(())
    }
}
