//! Inspection byte by byte: of memories, of places without a model, and of what a BAR shows.

use super::{PciFunction, Peek, PeekError};
use crate::bus::{AccessKind, Contents};
use crate::device::PciDevice;
use crate::model::{Slot, byte_enable};

/// A byte of a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryByte {
    /// The index of the memory.
    memory: usize,
    offset: usize,
}

/// A byte of a place without a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnmodelledByte {
    /// The index of the place.
    place: usize,
    offset: usize,
}

/// The storage of a byte of a BAR.
#[derive(Clone, Copy)]
pub(super) enum BytePlace {
    Memory(MemoryByte),
    Unmodelled(UnmodelledByte),
    /// A register, and the number of the byte in it.
    Register(Slot, usize),
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns the storage that a poke of a byte changes, if there is any; `size` is that of the
    /// access.
    pub(super) fn place_at(
        &self,
        bar: u8,
        at: u64,
        size: usize,
    ) -> Result<Option<BytePlace>, PeekError> {
        if let Some(byte) = self.memory_byte_at(bar, at) {
            return Ok(Some(BytePlace::Memory(byte)));
        }
        if let Some(byte) = self.unmodelled_byte_at(bar, at) {
            let place = &self.descriptor().unmodelled()[byte.place];
            if !place.is_stored() {
                return Err(PeekError::NoStorage(place.name()));
            }
            return Ok(Some(BytePlace::Unmodelled(byte)));
        }
        let found = |is_write| self.slot_at(bar, at, AccessKind { is_write, size });
        let Some((slot, first)) = found(false).or_else(|| found(true)) else { return Ok(None) };
        let register = self.descriptor().register(slot);
        if !register.is_stored() {
            return Err(PeekError::NoStorage(register.name()));
        }
        Ok(Some(BytePlace::Register(slot, first)))
    }

    /// Stores a byte; bits that are not implemented stay zero.
    pub(super) fn poke_byte(&mut self, place: BytePlace, byte: u8) -> Result<(), PeekError> {
        match place {
            BytePlace::Memory(place) => self.poke_memory(place, "", byte.into()),
            BytePlace::Unmodelled(UnmodelledByte { place, offset }) => {
                self.unmodelled_mut().of_mut(place)[offset] = byte;
                Ok(())
            }
            BytePlace::Register(slot, first) => {
                let implemented = self.descriptor().register(slot).implemented();
                let mask = byte_enable(first as u64, 1) & implemented;
                self.poke_slot(slot, u64::from(byte) << (first * 8), mask)
            }
        }
    }

    /// Returns the byte of a memory that lies at an offset of a BAR.
    pub(super) fn memory_byte_at(&self, bar: u8, offset: u64) -> Option<MemoryByte> {
        let area = self.map(bar)?.areas().find(offset)?;
        let Contents::Memory(memory) = area.contents else { return None };
        let offset = usize::try_from(offset - area.range.start).ok()?;
        self.existing(MemoryByte { memory, offset })
    }

    /// Returns a byte of a memory or of a place without a model.
    pub(super) fn peek_area_byte(&self, bar: u8, offset: u64) -> Option<Peek> {
        if let Some(byte) = self.memory_byte_at(bar, offset) {
            return Some(self.peek_memory(byte));
        }
        let UnmodelledByte { place, offset } = self.unmodelled_byte_at(bar, offset)?;
        // A place without storage has no bytes, and reads zero.
        let held = self.unmodelled().of(place).get(offset);
        Some(Peek::Known(held.copied().unwrap_or(0).into()))
    }

    /// Returns the byte of a place without a model that lies at an offset of a BAR.
    fn unmodelled_byte_at(&self, bar: u8, offset: u64) -> Option<UnmodelledByte> {
        let area = self.map(bar)?.areas().find(offset)?;
        let Contents::Unmodelled(place) = area.contents else { return None };
        let offset = usize::try_from(offset - area.range.start).ok()?;
        Some(UnmodelledByte { place, offset })
    }

    /// Returns the byte with a name such as `buffer[3]`.
    pub(super) fn memory_byte(&self, name: &str) -> Option<MemoryByte> {
        let (name, offset) = name.strip_suffix(']')?.rsplit_once('[')?;
        let mut memories = self.descriptor().memories().iter();
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
