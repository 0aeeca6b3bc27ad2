//! The values that registers go back to.

use super::Register;
use crate::device::{PciDevice, ResetKind, Slot};

/// What every stored register holds after a reset: its declared value, or what the device was
/// constructed with.
#[derive(Debug)]
pub(crate) struct ResetValues {
    constructed: Box<[(Slot, u64)]>,
}

impl ResetValues {
    /// Gives a newly constructed device its declared reset values and remembers the others.
    pub(crate) fn establish<D: PciDevice>(device: &mut D, registers: &[Register]) -> Self {
        store_declared(device, registers, |_| true);
        let constructed = slots(registers)
            .filter(|(register, _)| register.reset_value().is_none())
            .map(|(_, slot)| (slot, device.load(slot)))
            .collect();
        ResetValues { constructed }
    }

    /// Stores those that do not survive this kind of reset. No hook is called.
    pub(crate) fn restore<D: PciDevice>(
        &self,
        device: &mut D,
        registers: &[Register],
        kind: ResetKind,
    ) {
        let is_reset = |register: &Register| !register.survives(kind);
        store_declared(device, registers, is_reset);
        for (slot, bits) in &self.constructed {
            if is_reset(&registers[slot.register]) {
                device.store(*slot, *bits);
            }
        }
    }
}

fn store_declared<D: PciDevice>(
    device: &mut D,
    registers: &[Register],
    is_reset: impl Fn(&Register) -> bool,
) {
    for (register, slot) in slots(registers).filter(|(register, _)| is_reset(register)) {
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
