//! The rules of registers that share bytes, applied to a whole declaration.

use super::Descriptor;
use crate::layout::{self, CONFIG, Check, LayoutError};
use crate::model::{Condition, Register, RegisterBits, RegisterFlags};

impl Descriptor {
    /// Checks that an overlaid register has one direction, and that another register has the other.
    #[doc(hidden)]
    pub const fn check_overlay(&self, index: usize, crowded: &[bool]) -> Check<'static> {
        let register = &self.registers[index];
        if !register.is_overlaid() {
            return Ok(());
        }
        let (name, reads, writes) =
            (register.name(), register.answers(false), register.answers(true));
        if let Err(error) = layout::overlay(name, reads, writes) {
            return Err(error);
        }
        if crowded[index] { Ok(()) } else { Err(LayoutError::OverlayAlone { register: name }) }
    }

    /// Checks that a condition is on another single register with storage, whose condition does not
    /// depend on this one, and on values that it can have.
    pub(super) fn check_condition(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(condition) = register.condition() else { return Ok(()) };
        if !self.is_single(condition.bits) {
            return Err(LayoutError::ConditionTarget { register: register.name() });
        }
        let mut at = condition.bits.register;
        for _ in 0..self.registers.len() {
            if at == index {
                return Err(LayoutError::ConditionCycle { register: register.name() });
            }
            match self.registers[at].condition() {
                Some(next) if next.bits.register < self.registers.len() => at = next.bits.register,
                _ => break,
            }
        }
        (0..condition.values.len())
            .try_for_each(|range| self.check_condition_values(index, range, register.name()))
    }

    /// Checks a range of values of a condition, which is written `target`.
    #[doc(hidden)]
    pub const fn check_condition_values(
        &self,
        index: usize,
        range: usize,
        target: &'static str,
    ) -> Check<'static> {
        let Some(Condition { bits, values }) = self.registers[index].condition() else {
            return Ok(());
        };
        // No field has the name, which has been reported.
        if bits.mask == 0 {
            return Ok(());
        }
        let width = bits.width(&self.registers[bits.register]);
        layout::condition_values(target, width, values[range])
    }

    /// Checks that the elements of a selected array have a selector, a single register with
    /// storage.
    pub(super) fn check_selector(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(selector) = register.selector() else { return Ok(()) };
        if !self.is_single(selector) {
            return Err(LayoutError::Selector { name: register.name() });
        }
        self.check_selector_width(index, self.registers[selector.register].name())
    }

    /// Checks that the selector of an array, which is written `target`, has a value for every
    /// element.
    #[doc(hidden)]
    pub const fn check_selector_width(&self, index: usize, target: &'static str) -> Check<'static> {
        let register = &self.registers[index];
        let (name, count) = (register.name(), register.count());
        self.check_width(register.selector(), target, name, count)
    }

    /// The same for the selector of a block.
    #[doc(hidden)]
    pub const fn check_block_selector_width(
        &self,
        index: usize,
        target: &'static str,
    ) -> Check<'static> {
        let block = &self.blocks[index];
        self.check_width(block.selector(), target, block.name(), block.count())
    }

    const fn check_width(
        &self,
        selector: Option<RegisterBits>,
        target: &'static str,
        name: &'static str,
        count: u32,
    ) -> Check<'static> {
        match selector {
            Some(bits) if bits.mask != 0 => {
                let width = bits.width(&self.registers[bits.register]);
                layout::selector_width(target, width, name, count as u64)
            }
            _ => Ok(()),
        }
    }

    /// Checks the selector of a block, and that no client accesses the block without a message.
    #[doc(hidden)]
    pub const fn check_block_selector(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        if let Some(selector) = block.selector()
            && !self.is_single(selector)
        {
            return Err(LayoutError::Selector { name: block.name() });
        }
        let is_selected = block.selector().is_some();
        let mut i = 0;
        while i < block.registers().len() {
            let register = &block.registers()[i];
            if let Err(error) = check_config_size(register, block.bar()) {
                return Err(error);
            }
            if is_selected && let Err(error) = check_messages(register) {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }

    /// Checks that no client accesses a register with a condition without a message, and that the
    /// size of an access is known where the register depends on it.
    pub(super) const fn check_answers(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        if register.depends_on_access_or_state()
            && let Err(error) = check_messages(register)
        {
            return Err(error);
        }
        if register.is_overlaid() && register.is(RegisterFlags::WATCH) {
            return Err(LayoutError::ConditionalWatch { register: register.name() });
        }
        check_config_size(register, register.bar())
    }

    const fn is_single(&self, bits: RegisterBits) -> bool {
        if bits.register >= self.registers.len() {
            return false;
        }
        let register = &self.registers[bits.register];
        register.is_stored() && register.count() == 1
    }
}

/// Clients access a register with a condition by messages alone.
const fn check_messages(register: &Register) -> Check<'static> {
    if register.doorbell().is_some() {
        return Err(LayoutError::ConditionalDoorbell { register: register.name() });
    }
    if register.is(RegisterFlags::WATCH) {
        return Err(LayoutError::ConditionalWatch { register: register.name() });
    }
    Ok(())
}

/// Configuration space does not keep the sizes of accesses.
const fn check_config_size(register: &Register, bar: u8) -> Check<'static> {
    if bar == CONFIG && register.depends_on_size() {
        return Err(LayoutError::SizeInConfig { register: register.name() });
    }
    Ok(())
}
