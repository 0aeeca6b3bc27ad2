//! The reset values of registers and memories.

use super::memory_reset::MemoryContents;
use crate::device::PciDevice;
use crate::layout::LayoutError;
use crate::model::{Descriptor, Register, ResetKind, Slot};

/// The value of every stored register after a reset: its declared value, or the value that the
/// device was constructed with. The same for memories.
#[derive(Debug)]
pub(crate) struct ResetValues {
    constructed: Box<[(Slot, u64)]>,
    memories: MemoryContents,
}

impl ResetValues {
    /// Stores the declared reset values in a newly constructed device, and remembers the values of
    /// other registers and of memories.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MemoryLength`] for a memory of another length than its range.
    pub(crate) fn establish<D: PciDevice>(
        device: &mut D,
        descriptor: &Descriptor,
    ) -> Result<Self, LayoutError<'static>> {
        let memories = MemoryContents::establish(device, descriptor)?;
        store_declared(device, descriptor, |_| true);
        let constructed = stored_slots(descriptor)
            .filter(|(register, _)| register.reset_value().is_none())
            .map(|(_, slot)| (slot, device.load(slot)))
            .collect();
        Ok(ResetValues { constructed, memories })
    }

    /// Stores the values of registers that do not survive this kind of reset. No hook is called.
    pub(crate) fn restore<D: PciDevice>(
        &self,
        device: &mut D,
        descriptor: &Descriptor,
        kind: ResetKind,
    ) {
        let is_reset = |register: &Register| !register.survives(kind);
        store_declared(device, descriptor, is_reset);
        for (slot, bits) in &self.constructed {
            if is_reset(descriptor.register(*slot)) {
                device.store(*slot, *bits);
            }
        }
        self.memories.restore(device, descriptor);
    }
}

fn store_declared<D: PciDevice>(
    device: &mut D,
    descriptor: &Descriptor,
    is_reset: impl Fn(&Register) -> bool,
) {
    for (register, slot) in stored_slots(descriptor).filter(|(register, _)| is_reset(register)) {
        if let Some(bits) = register.reset_value() {
            device.store(slot, bits);
        }
    }
}

/// Returns every element that has storage.
fn stored_slots(
    descriptor: &Descriptor,
) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
    descriptor.slots_with(Register::is_stored)
}
