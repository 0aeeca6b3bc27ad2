//! The trait that `#[derive(PciDevice)]` implements.

use std::ops::Range;

use super::calls::Hook;
use super::{Cx, Device, Timer};
use crate::migration::{Exchange, OldState, StateError, StateReader, StateWriter, WireType};
use crate::model::{Descriptor, Slot};
use crate::tape::EventCodec;

/// A device whose registers the runtime can reach. Derive it:
///
/// ```
/// use vfio_user::{Device, PciDevice};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Scratch {
///     #[reg(0x00)]
///     scratch: u32,
/// }
///
/// impl Device for Scratch {
///     type Event = ();
/// }
///
/// assert_eq!(Scratch::DESCRIPTOR.ids().device, 0xcafe);
/// ```
///
/// The methods only access the fields; the runtime implements the rest of a bus access: policies,
/// byte enables, resets. A slot names a register by its index in
/// [`Descriptor::registers`], or in the registers of a block, and a timer by its index in
/// [`Descriptor::timers`], or in the timers of a block.
pub trait PciDevice: Device + Send + 'static {
    /// The declaration.
    const DESCRIPTOR: Descriptor;

    /// Returns the stored bits of a register; 0 for a register without storage.
    fn load(&self, slot: Slot) -> u64;

    /// Stores the bits of a register; does nothing for a register without storage.
    fn store(&mut self, slot: Slot, bits: u64);

    /// Calls a hook that a register declares. The result is used for [`Hook::Read`] and
    /// [`Hook::ReadBytes`] alone.
    fn hook(&mut self, cx: &mut Cx<'_, Self>, slot: Slot, hook: Hook) -> u64 {
        let _ = (cx, slot, hook);
        0
    }

    /// Returns the status of a composed interrupt that the device computes, by the slot of the
    /// register that declares it.
    fn computed_status(&self, slot: Slot) -> u64 {
        let _ = slot;
        0
    }

    /// Returns the bytes of a memory by its index in [`Descriptor::memories`].
    fn memory(&self, index: usize) -> &[u8] {
        let _ = index;
        &[]
    }

    /// Returns the bytes of a memory, to change them.
    fn memory_mut(&mut self, index: usize) -> &mut [u8] {
        let _ = index;
        &mut []
    }

    /// Replaces the bytes of a memory by `len` zeros, unless its type has a fixed length.
    fn allocate_memory(&mut self, index: usize, len: usize) {
        let _ = (index, len);
    }

    /// Calls the hook for writes of a memory, with the range of bytes that were written.
    fn memory_written(&mut self, cx: &mut Cx<'_, Self>, index: usize, range: Range<usize>) {
        let _ = (cx, index, range);
    }

    /// Returns a timer.
    fn timer(&self, slot: Slot) -> Option<&Timer> {
        let _ = slot;
        None
    }

    /// Returns a timer, to change it.
    fn timer_mut(&mut self, slot: Slot) -> Option<&mut Timer> {
        let _ = slot;
        None
    }

    /// Calls the hook of a timer.
    fn run_timer(&mut self, cx: &mut Cx<'_, Self>, slot: Slot) {
        let _ = (cx, slot);
    }

    /// How events from threads are recorded; `None` if their type lacks the traits of serde.
    const EVENTS: Option<EventCodec<Self::Event>> = None;

    /// Whether [`convert_state`](Self::convert_state) does anything.
    const CONVERTS: bool = false;

    /// Converts the state of an older version into this version's, before it is loaded.
    ///
    /// # Errors
    ///
    /// If the author's conversion rejects the state.
    fn convert_state(old: &mut OldState) -> Result<(), StateError> {
        let _ = old;
        Ok(())
    }

    /// Returns the types of the private fields in a stream, in the order of declaration.
    fn state_types() -> Vec<WireType> {
        Vec::new()
    }

    /// Returns the types of a block's private fields in a stream, in the order of declaration.
    fn block_state_types(block: usize) -> Vec<WireType> {
        let _ = block;
        Vec::new()
    }

    /// Writes the private fields of a device that migrates.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_private(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let _ = out;
        Ok(())
    }

    /// Reads the private fields.
    ///
    /// # Errors
    ///
    /// If a field is missing or its value is invalid.
    fn load_private(from: &mut StateReader<'_>) -> Result<Exchange<Self>, StateError> {
        let _ = from;
        Ok(Box::new(|_| {}))
    }

    /// Reads the private fields of this device, for a type whose devices declare them at run time;
    /// the runtime calls this method. By default it is [`load_private`](Self::load_private).
    ///
    /// # Errors
    ///
    /// As [`load_private`](Self::load_private).
    fn read_private(&self, from: &mut StateReader<'_>) -> Result<Exchange<Self>, StateError> {
        Self::load_private(from)
    }

    /// Writes the private fields of elements of a block.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_block(
        &self,
        block: usize,
        elements: Range<usize>,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError> {
        let _ = (block, elements, out);
        Ok(())
    }

    /// Reads the private fields of elements of a block.
    ///
    /// # Errors
    ///
    /// If a field is missing or its value is invalid.
    fn load_block(
        block: usize,
        elements: Range<usize>,
        from: &mut StateReader<'_>,
    ) -> Result<Exchange<Self>, StateError> {
        let _ = (block, elements, from);
        Ok(Box::new(|_| {}))
    }

    /// Reads the private fields of elements of a block of this device; see
    /// [`read_private`](Self::read_private). By default it is [`load_block`](Self::load_block).
    ///
    /// # Errors
    ///
    /// As [`load_block`](Self::load_block).
    fn read_block(
        &self,
        block: usize,
        elements: Range<usize>,
        from: &mut StateReader<'_>,
    ) -> Result<Exchange<Self>, StateError> {
        Self::load_block(block, elements, from)
    }
}
