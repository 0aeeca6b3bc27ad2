//! The trait that `#[derive(RegisterBlock)]` implements.

use super::{Cx, Device, Hook};
use crate::migration::{Exchange, StateError, StateLayout, StateReader, StateWriter, WireType};
use crate::model::{Intr, Register, Shape, Slot};

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
    /// What has the hooks: the block itself.
    #[doc(hidden)]
    type Hooks;

    /// The declaration; offsets count from the start of the block.
    const REGISTERS: &'static [Register];

    /// The room that the registers take, computed once for all fields of this type.
    #[doc(hidden)]
    const SHAPE: Shape = Shape::of(Self::REGISTERS);

    /// The interrupts that the runtime composes; places are those in the block.
    const INTERRUPTS: &'static [Intr] = &[];

    /// The stored bits of a register; 0 for one without storage.
    fn load(&self, slot: Slot) -> u64;

    /// Stores the bits of a register; nothing for one without storage.
    fn store(&mut self, slot: Slot, bits: u64);

    /// How private fields migrate; `None` for a block that does not.
    const STATE: Option<StateLayout> = None;

    /// The types of the private fields in a stream, in the order in which they are declared.
    fn state_types() -> Vec<WireType> {
        Vec::new()
    }

    /// Writes the private fields of all elements, each field as a column.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_private(elements: &[Self], out: &mut StateWriter<'_>) -> Result<(), StateError>
    where
        Self: Sized,
    {
        let _ = (elements, out);
        Ok(())
    }

    /// Reads the private fields of `count` elements.
    ///
    /// # Errors
    ///
    /// If a field is missing or cannot have its value.
    fn load_private(
        count: usize,
        from: &mut StateReader<'_>,
    ) -> Result<Exchange<[Self]>, StateError>
    where
        Self: Sized,
    {
        let _ = (count, from);
        Ok(Box::new(|_| {}))
    }
}

/// The hooks of a block in a device that is its host.
pub trait BlockHooks<D: Device> {
    /// Calls a hook of a register of block `index`, as [`PciDevice::hook`](crate::PciDevice::hook).
    fn hook(device: &mut D, cx: &mut Cx<'_, D>, index: usize, slot: Slot, hook: Hook) -> u64 {
        let _ = (device, cx, index, slot, hook);
        0
    }
}
