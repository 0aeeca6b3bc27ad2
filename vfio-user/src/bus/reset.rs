//! The values that registers go back to.

use crate::device::PciDevice;
use crate::model::{Descriptor, Register, ResetKind, Slot};

/// What every stored register holds after a reset: its declared value, or what the device was
/// constructed with.
#[derive(Debug)]
pub(crate) struct ResetValues {
    constructed: Box<[(Slot, u64)]>,
}

impl ResetValues {
    /// Gives a newly constructed device its declared reset values and remembers the others.
    pub(crate) fn establish<D: PciDevice>(device: &mut D, descriptor: &Descriptor) -> Self {
        store_declared(device, descriptor, |_| true);
        let constructed = stored_slots(descriptor)
            .filter(|(register, _)| register.reset_value().is_none())
            .map(|(_, slot)| (slot, device.load(slot)))
            .collect();
        ResetValues { constructed }
    }

    /// Stores those that do not survive this kind of reset. No hook is called.
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

/// Every element that has storage.
fn stored_slots(
    descriptor: &Descriptor,
) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
    descriptor.slots_with(Register::is_stored)
}
