//! The rules for the behaviour of registers and the accesses that BARs accept, applied to a whole
//! declaration.

use super::Descriptor;
use crate::layout::{self, Check, LayoutError};
use crate::model::{DataMatch, Hooks, RegisterFlags};

impl Descriptor {
    /// Checks the sizes that a BAR accepts, and the parts that accept others.
    pub(super) const fn check_accesses(&self, index: u8) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        let sizes = bar.sizes;
        if let Err(error) = layout::access_sizes(index, sizes.smallest(), sizes.largest()) {
            return Err(error);
        }
        let mut part = 0;
        while part < bar.sizes_in.len() {
            if let Err(error) = self.check_access(index, part) {
                return Err(error);
            }
            part += 1;
        }
        Ok(())
    }

    /// Checks a part of a BAR that accepts other sizes than the rest.
    #[doc(hidden)]
    pub const fn check_access(&self, index: u8, part: usize) -> Check<'static> {
        let Some(bar) = &self.bars[index as usize] else { return Ok(()) };
        let own = bar.sizes_in[part];
        let range = (own.start, own.end);
        let sizes = own.sizes;
        if let Err(error) = layout::access_sizes(index, sizes.smallest(), sizes.largest()) {
            return Err(error);
        }
        if let Err(error) = layout::access_range(index, range, bar.size) {
            return Err(error);
        }
        let mut earlier = 0;
        while earlier < part {
            let other = bar.sizes_in[earlier];
            if let Err(error) = layout::access_apart(index, range, (other.start, other.end)) {
                return Err(error);
            }
            earlier += 1;
        }
        Ok(())
    }

    /// The part of [`Descriptor::check_register`] for the register's behaviour.
    pub(super) const fn check_behaviour(&self, index: usize) -> Check<'static> {
        if let Err(error) = self.check_wide(index) {
            return Err(error);
        }
        if let Err(error) = self.check_pulse(index) {
            return Err(error);
        }
        if let Err(error) = self.check_doorbell(index) {
            return Err(error);
        }
        if let Err(error) = self.check_nothing_stored(index) {
            return Err(error);
        }
        self.check_lock(index)
    }

    /// Checks that a write can have the value that the register's doorbell matches.
    #[doc(hidden)]
    pub const fn check_doorbell(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        match register.doorbell() {
            Some(DataMatch::Value(value)) => {
                layout::doorbell_value(register.name(), register.width() as u64, value)
            }
            Some(DataMatch::Any) | None => Ok(()),
        }
    }

    /// Checks that a wide register can be accessed in halves.
    #[doc(hidden)]
    pub const fn check_wide(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        if register.is(RegisterFlags::WIDE) {
            return layout::wide(register.name(), register.width() as u64);
        }
        layout::not_torn(register.name(), register.is_torn_by_reads())
    }

    /// Checks that zero is a value of a register without storage, read hook and reset value.
    #[doc(hidden)]
    pub const fn check_nothing_stored(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
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
    #[doc(hidden)]
    pub const fn check_pulse(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        match register.reset() {
            Some(value) => layout::pulse_reset(register.name(), value & register.access().pulses()),
            None => Ok(()),
        }
    }

    /// Checks that a register is locked by a register.
    #[doc(hidden)]
    pub const fn check_lock(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(lock) = register.lock() else { return Ok(()) };
        if lock.register >= self.registers.len() {
            return Err(LayoutError::LockTarget { register: register.name() });
        }
        let locking = &self.registers[lock.register];
        let (count, locks) = (register.count() as u64, locking.count() as u64);
        layout::lock_elements(register.name(), count, locking.name(), locks)
    }
}
