//! The values that registers go back to.

use super::Register;
use crate::device::{PciDevice, Slot};

/// What every stored register holds after a reset: its declared value, or what the device was
/// constructed with.
#[derive(Debug)]
pub(crate) struct ResetValues {
    constructed: Box<[(Slot, u64)]>,
}

impl ResetValues {
    /// Gives a newly constructed device its declared reset values and remembers the others.
    pub(crate) fn establish<D: PciDevice>(device: &mut D, registers: &[Register]) -> Self {
        store_declared(device, registers);
        let constructed = slots(registers)
            .filter(|(register, _)| register.reset_value().is_none())
            .map(|(_, slot)| (slot, device.load(slot)))
            .collect();
        ResetValues { constructed }
    }

    /// Stores all of them. No hook is called.
    pub(crate) fn restore<D: PciDevice>(&self, device: &mut D, registers: &[Register]) {
        store_declared(device, registers);
        for (slot, bits) in &self.constructed {
            device.store(*slot, *bits);
        }
    }
}

fn store_declared<D: PciDevice>(device: &mut D, registers: &[Register]) {
    for (register, slot) in slots(registers) {
        if let Some(bits) = register.reset_value() {
            device.store(slot, bits);
        }
    }
}

/// Every element that has storage.
fn slots(registers: &[Register]) -> impl Iterator<Item = (&Register, Slot)> {
    registers.iter().enumerate().filter(|(_, register)| register.is_stored()).flat_map(
        |(place, register)| {
            (0..register.count() as usize)
                .map(move |index| (register, Slot { register: place, index }))
        },
    )
}
