//! The trait that `#[derive(RegisterBlock)]` implements.

use super::indices::Indices;
use super::{Cx, Device, Hook, Timer};
use crate::migration::{ExchangeAll, StateError, StateLayout, StateReader, StateWriter, WireType};
use crate::model::{Block, BlockContents, ComposedInterrupt, DeclaredTimer, Register, Slot};

/// A group of registers, as plain data. Derive it:
///
/// ```
/// use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};
///
/// #[derive(Clone, Copy, Default, RegisterBlock)]
/// #[block(host = QueueHost)]
/// struct Queue {
///     #[reg(0x00)]
///     base: u64,
///     #[reg(0x08, wo, write_with = doorbell)]
///     doorbell: Virtual<u32>,
/// }
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Dma {
///     #[block(0x100, stride = 0x20)]
///     queues: [Queue; 4],
/// }
///
/// impl Device for Dma {
///     type Event = ();
/// }
///
/// impl QueueHost for Dma {
///     fn doorbell(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u32) {
///         self.queues[index].base += u64::from(value);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a block of registers",
    label = "not a block",
    note = "a block is a struct with `#[derive(RegisterBlock)]`"
)]
pub trait RegisterBlock {
    /// The type that has the hooks: the block itself.
    #[doc(hidden)]
    type Hooks;

    /// The registers of the block. Offsets count from the start of the block.
    const REGISTERS: &'static [Register];

    /// The blocks in the block, each with those in it.
    const BLOCKS: &'static [Block] = &[];

    /// The number of indices that the hooks take; `None` without hooks.
    #[doc(hidden)]
    const INDICES: Option<u8> = None;

    /// The interrupts that the runtime composes; register indices count within the block.
    const INTERRUPTS: &'static [ComposedInterrupt] = &[];

    /// The timers of the block.
    const TIMERS: &'static [DeclaredTimer] = &[];

    /// The layout of the private fields that migrate; `None` for a block that does not migrate.
    const STATE: Option<StateLayout> = None;

    /// All of these constants, for the fields of this type.
    const CONTENTS: BlockContents = BlockContents {
        indices: Self::INDICES,
        timers: Self::TIMERS,
        interrupts: Self::INTERRUPTS,
        state: Self::STATE,
        ..BlockContents::of_blocks(Self::REGISTERS, Self::BLOCKS)
    };

    /// Returns the stored bits of a register; 0 for a register without storage.
    fn load(&self, slot: Slot) -> u64;

    /// Stores the bits of a register; does nothing for a register without storage.
    fn store(&mut self, slot: Slot, bits: u64);

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

    /// Returns the types of the private fields in a stream, in the order of declaration.
    fn state_types() -> Vec<WireType> {
        Vec::new()
    }

    /// Returns the types of the private fields of a block in this one, by its index in
    /// [`BLOCKS`](Self::BLOCKS).
    fn inner_state_types(block: usize) -> Vec<WireType> {
        let _ = block;
        Vec::new()
    }

    /// Writes the private fields of all elements, each field as a column.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_private(elements: &[&Self], out: &mut StateWriter<'_>) -> Result<(), StateError>
    where
        Self: Sized,
    {
        let _ = (elements, out);
        Ok(())
    }

    /// Does the same for a block in each of these elements.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_inner(
        elements: &[&Self],
        block: usize,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError>
    where
        Self: Sized,
    {
        let _ = (elements, block, out);
        Ok(())
    }

    /// Reads the private fields of `count` elements.
    ///
    /// # Errors
    ///
    /// If a field is missing or its value is invalid.
    fn load_private(
        count: usize,
        from: &mut StateReader<'_>,
    ) -> Result<ExchangeAll<Self>, StateError>
    where
        Self: Sized,
    {
        let _ = (count, from);
        Ok(Box::new(|_| {}))
    }

    /// Does the same for a block in each of `count` elements.
    ///
    /// # Errors
    ///
    /// If a field is missing or its value is invalid.
    fn load_inner(
        count: usize,
        block: usize,
        from: &mut StateReader<'_>,
    ) -> Result<ExchangeAll<Self>, StateError>
    where
        Self: Sized,
    {
        let _ = (count, block, from);
        Ok(Box::new(|_| {}))
    }

    /// Returns the types of the private fields of the block, or of block `inner` in it.
    #[doc(hidden)]
    fn types_of(inner: Option<usize>) -> Vec<WireType> {
        inner.map_or_else(Self::state_types, Self::inner_state_types)
    }

    /// Writes the private fields of elements, or of block `inner` in each.
    #[doc(hidden)]
    fn save_elements(
        elements: &[&Self],
        inner: Option<usize>,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError>
    where
        Self: Sized,
    {
        match inner {
            Some(block) => Self::save_inner(elements, block, out),
            None => Self::save_private(elements, out),
        }
    }

    /// Reads the private fields of `count` elements, or of block `inner` in each.
    #[doc(hidden)]
    fn load_elements(
        count: usize,
        inner: Option<usize>,
        from: &mut StateReader<'_>,
    ) -> Result<ExchangeAll<Self>, StateError>
    where
        Self: Sized,
    {
        match inner {
            Some(block) => Self::load_inner(count, block, from),
            None => Self::load_private(count, from),
        }
    }
}

/// The hooks of a block in the device that hosts it. `at` are the indices of the block and of those
/// around it.
pub trait BlockHooks<D: Device> {
    /// Calls a hook of a register; see [`PciDevice::hook`](crate::PciDevice::hook).
    fn hook(device: &mut D, cx: &mut Cx<'_, D>, at: Indices, slot: Slot, hook: Hook) -> u64 {
        let _ = (device, cx, at, slot, hook);
        0
    }

    /// Returns the status of a composed interrupt; see
    /// [`PciDevice::computed_status`](crate::PciDevice::computed_status).
    fn computed_status(device: &D, at: Indices, slot: Slot) -> u64 {
        let _ = (device, at, slot);
        0
    }

    /// Calls the hook of a timer.
    fn run_timer(device: &mut D, cx: &mut Cx<'_, D>, at: Indices, slot: Slot) {
        let _ = (device, cx, at, slot);
    }
}
