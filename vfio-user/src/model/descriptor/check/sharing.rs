//! The rules of registers that share bytes, applied to a whole declaration.

use super::super::Descriptor;
use super::member::member;
use crate::layout::{self, CONFIG, Check, LayoutError};
use crate::model::{Block, Condition, Register, RegisterBits, RegisterFlags};

/// Checks that an overlaid register has one direction, and that another register has the other.
pub const fn check_overlay(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let register = &descriptor.registers[index];
    if !register.is_overlaid() {
        return Ok(());
    }
    let (name, reads, writes) = (register.name(), register.answers(false), register.answers(true));
    if let Err(error) = layout::overlay(name, reads, writes) {
        return Err(error);
    }
    if crowded[index] { Ok(()) } else { Err(LayoutError::OverlayAlone { register: name }) }
}

/// Checks that a condition is on another single register with storage, whose condition does not
/// depend on this one, and on values that it can have.
pub(super) fn check_condition(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(condition) = register.condition() else { return Ok(()) };
    if !is_single(descriptor, condition.bits) {
        return Err(LayoutError::ConditionTarget { register: register.name() });
    }
    let mut at = condition.bits.register;
    for _ in 0..descriptor.registers.len() {
        if at == index {
            return Err(LayoutError::ConditionCycle { register: register.name() });
        }
        match descriptor.registers[at].condition() {
            Some(next) if next.bits.register < descriptor.registers.len() => {
                at = next.bits.register;
            }
            _ => break,
        }
    }
    (0..condition.values.len())
        .try_for_each(|range| check_condition_values(descriptor, index, range, register.name()))
}

/// Checks a range of values of a condition, which is written `target`.
pub const fn check_condition_values(
    descriptor: &Descriptor,
    index: usize,
    range: usize,
    target: &'static str,
) -> Check<'static> {
    let Some(Condition { bits, values }) = descriptor.registers[index].condition() else {
        return Ok(());
    };
    // No field has the name, which has been reported.
    if bits.mask == 0 {
        return Ok(());
    }
    let register = &descriptor.registers[bits.register];
    let (width, mask) = (bits.width(register), bits.implemented(register));
    layout::condition_values(target, width, mask, values[range])
}

/// Checks that the elements of a selected array have a selector, a single register with
/// storage.
pub(super) fn check_selector(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(selector) = register.selector() else { return Ok(()) };
    if !is_single(descriptor, selector) {
        return Err(LayoutError::Selector { name: register.name() });
    }
    check_selector_width(descriptor, index, descriptor.registers[selector.register].name())
}

/// Checks that the selector of an array, which is written `target`, has a value for every
/// element.
pub const fn check_selector_width(
    descriptor: &Descriptor,
    index: usize,
    target: &'static str,
) -> Check<'static> {
    let register = &descriptor.registers[index];
    let (name, count) = (register.name(), register.count());
    check_width(descriptor, register.selector(), target, name, count)
}

/// The same for the selector of a block.
pub const fn check_block_selector_width(
    descriptor: &Descriptor,
    index: usize,
    target: &'static str,
) -> Check<'static> {
    let block = &descriptor.blocks[index];
    check_width(descriptor, block.selector(), target, block.name(), block.own_count())
}

const fn check_width(
    descriptor: &Descriptor,
    selector: Option<RegisterBits>,
    target: &'static str,
    name: &'static str,
    count: u32,
) -> Check<'static> {
    match selector {
        Some(bits) if bits.mask != 0 => {
            let width = bits.width(&descriptor.registers[bits.register]);
            layout::selector_width(target, width, name, count as u64)
        }
        _ => Ok(()),
    }
}

/// Checks the selector of a block, and that no client accesses the block without a message.
pub const fn check_block_selector(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let block = &descriptor.blocks[index];
    if let Some(selector) = block.selector()
        && !is_single(descriptor, selector)
    {
        return Err(LayoutError::Selector { name: block.name() });
    }
    let mut step = 0;
    while step <= block.inner().len() {
        if let Err(error) = check_answers_in(&descriptor.blocks[member(descriptor, index, step)]) {
            return Err(error);
        }
        step += 1;
    }
    Ok(())
}

/// The same for the registers of one block.
const fn check_answers_in(block: &Block) -> Check<'static> {
    let mut i = 0;
    while i < block.registers().len() {
        let register = &block.registers()[i];
        if let Err(error) = check_config_size(register, block.bar()) {
            return Err(error);
        }
        if block.is_selected()
            && let Err(error) = check_messages(register)
        {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}

/// Checks that no client accesses a register with a condition without a message, and that the
/// size of an access is known where the register depends on it.
pub(super) const fn check_answers(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
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

const fn is_single(descriptor: &Descriptor, bits: RegisterBits) -> bool {
    if bits.register >= descriptor.registers.len() {
        return false;
    }
    let register = &descriptor.registers[bits.register];
    register.is_stored() && register.count() == 1
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
