//! The rules for the behaviour of registers and the accesses that BARs accept, applied to a whole
//! declaration.

use super::super::Descriptor;
use crate::layout::{self, Check, LayoutError};
use crate::model::{DataMatch, Hooks, RegisterFlags};

/// The part of [`Descriptor::check_register`] for the register's behaviour.
pub(super) const fn check_behaviour(descriptor: &Descriptor, index: usize) -> Check<'static> {
    if let Err(error) = check_wide(descriptor, index) {
        return Err(error);
    }
    if let Err(error) = check_pulse(descriptor, index) {
        return Err(error);
    }
    if let Err(error) = check_doorbell(descriptor, index) {
        return Err(error);
    }
    if let Err(error) = check_nothing_stored(descriptor, index) {
        return Err(error);
    }
    check_lock(descriptor, index)
}

/// Checks that a write can have the value that the register's doorbell matches.
pub const fn check_doorbell(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    match register.doorbell() {
        Some(DataMatch::Value(value)) => {
            layout::doorbell_value(register.name(), register.width() as u64, value)
        }
        Some(DataMatch::Any) | None => Ok(()),
    }
}

/// Checks that a wide register can be accessed in halves.
pub const fn check_wide(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    if register.is(RegisterFlags::WIDE) {
        return layout::wide(register.name(), register.width() as u64);
    }
    layout::not_torn(register.name(), register.is_torn_by_reads())
}

/// Checks that zero is a value of a register without storage, read hook and reset value.
pub const fn check_nothing_stored(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    if register.is_stored()
        || register.reset().is_some()
        || register.has(Hooks::READ_WITH)
        || !register.policy().is_readable()
    {
        return Ok(());
    }
    match register.first_unknown(0) {
        Some(field) => {
            let (register, field) = (register.name(), field.name);
            Err(LayoutError::NothingStored { register, field })
        }
        None => Ok(()),
    }
}

/// Checks that bits that clear themselves are clear at first.
pub const fn check_pulse(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    match register.reset() {
        Some(value) => layout::pulse_reset(register.name(), value & register.access().pulses()),
        None => Ok(()),
    }
}

/// Checks that a register is locked by a register.
pub const fn check_lock(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(lock) = register.lock() else { return Ok(()) };
    if lock.register >= descriptor.registers.len() {
        return Err(LayoutError::LockTarget { register: register.name() });
    }
    let locking = &descriptor.registers[lock.register];
    let (count, locks) = (register.count() as u64, locking.count() as u64);
    layout::lock_elements(register.name(), count, locking.name(), locks)
}
