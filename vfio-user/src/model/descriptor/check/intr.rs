//! The rules of composed interrupts, applied to a whole declaration.

use super::super::Descriptor;
use super::member::member;
use crate::layout::{self, Check, LayoutError};
use crate::model::{Block, ComposedInterrupt, Hooks, Register, Trigger};

/// Checks that the registers that test and clear registers change are declared.
pub(super) fn check_effects(descriptor: &Descriptor) -> Check<'static> {
    let effects = |one: &Register| [one.sets(), one.clears()];
    let mut indices = descriptor.registers.iter().flat_map(effects).flatten();
    match indices.find(|register_index| *register_index >= descriptor.registers.len()) {
        Some(register_index) => {
            Err(LayoutError::IntrMissing { register_index: register_index as u64 })
        }
        None => Ok(()),
    }
}

/// I01 to I03, X07.
pub(super) fn check_intr(descriptor: &Descriptor, index: usize) -> Check<'static> {
    check_intr_registers(descriptor, index)?;
    check_intr_vector(descriptor, index)
}

/// I01, I02.
pub(super) fn check_intr_registers(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let ComposedInterrupt { status, enable, mask, .. } = descriptor.composed[index];
    for register_index in [Some(status), enable, mask].into_iter().flatten() {
        if register_index >= descriptor.registers.len() {
            return Err(LayoutError::IntrMissing { register_index: register_index as u64 });
        }
    }
    for register_index in [enable, mask].into_iter().flatten() {
        check_intr_width(descriptor, index, register_index)?;
    }
    check_intr_trigger(descriptor, index)
}

/// I01: enable and mask registers are as wide as the status.
pub const fn check_intr_width(
    descriptor: &Descriptor,
    index: usize,
    register_index: usize,
) -> Check<'static> {
    let ComposedInterrupt { status, enable, .. } = descriptor.composed[index];
    let (status, other) = (&descriptor.registers[status], &descriptor.registers[register_index]);
    // The bits of a computed status are those of the register that enables them.
    let bits = match enable {
        Some(enable) if status.has(Hooks::STATUS_WITH) => &descriptor.registers[enable],
        _ => status,
    };
    let (width, status_width) = (other.width() as u64, bits.width() as u64);
    layout::intr_width(other.name(), width, bits.name(), status_width)
}

/// I02: software can clear the bits of an event, and only the device those of a level.
pub const fn check_intr_trigger(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let ComposedInterrupt { status, trigger, .. } = descriptor.composed[index];
    let register = &descriptor.registers[status];
    if register.has(Hooks::STATUS_WITH) {
        return Ok(());
    }
    match trigger {
        Trigger::Event => {
            let is_clearable = register.is_clearable() || has_clear_register(descriptor, status);
            layout::intr_event(register.name(), is_clearable)
        }
        Trigger::Level => layout::intr_level(register.name(), register.access().writable()),
    }
}

const fn has_clear_register(descriptor: &Descriptor, status: usize) -> bool {
    let mut i = 0;
    while i < descriptor.registers.len() {
        if let Some(register_index) = descriptor.registers[i].clears()
            && register_index == status
        {
            return true;
        }
        i += 1;
    }
    false
}

/// I03, X07: the interrupt exists.
pub const fn check_intr_vector(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let ComposedInterrupt { status, vector, .. } = descriptor.composed[index];
    layout::intr_vector(descriptor.registers[status].name(), vector as u64, descriptor.sources())
}

/// I03, X07: the interrupts exist for all elements of a block, and of the blocks in it.
pub const fn check_block_vectors(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let mut step = 0;
    while step <= descriptor.blocks[index].inner().len() {
        let block = &descriptor.blocks[member(descriptor, index, step)];
        if let Err(error) = check_vectors(descriptor, block) {
            return Err(error);
        }
        step += 1;
    }
    Ok(())
}

/// The last element of a block has the highest numbers.
const fn check_vectors(descriptor: &Descriptor, block: &Block) -> Check<'static> {
    let Some(last) = (block.count() as usize).checked_sub(1) else { return Ok(()) };
    let mut i = 0;
    while i < block.interrupts().len() {
        let intr = &block.interrupts()[i];
        let status = block.registers()[intr.status].name();
        let vector = block.vector_of(intr, last) as u64;
        if let Err(error) = layout::intr_vector(status, vector, descriptor.sources()) {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
