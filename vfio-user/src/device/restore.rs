//! Stores reset values in a device.

use super::PciDevice;
use super::reset_values::{MemoryContents, ResetValues};
use crate::layout::LayoutError;
use crate::model::{Descriptor, Register, ResetScope};

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
        let mut constructed = Vec::new();
        for (register, slot) in descriptor.slots_with(Register::is_stored) {
            match register.reset() {
                Some(bits) => device.store(slot, bits),
                None => constructed.push((slot, device.load(slot))),
            }
        }
        let (descriptor, constructed) = (descriptor.clone(), constructed.into());
        Ok(ResetValues { descriptor, constructed, memories })
    }

    /// Stores the values of the registers that a reset covers; the contents of memories as well if
    /// it is a reset of the device. No hook is called.
    pub(crate) fn restore<D: PciDevice>(&self, device: &mut D, scope: ResetScope) {
        for (register, slot) in self.descriptor.slots_within(scope, Register::is_stored) {
            if self.descriptor.is_reset(slot, scope) {
                device.store(slot, self.value(register, slot));
            }
        }
        if let ResetScope::Device(_) = scope {
            self.memories.restore(device, &self.descriptor);
        }
    }
}
