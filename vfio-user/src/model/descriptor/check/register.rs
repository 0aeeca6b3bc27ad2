//! The rules of single registers, applied to those of a declaration.

use super::super::Descriptor;
use super::behaviour::check_behaviour;
use super::config::check_in_config;
use super::mirror::bar_of;
use super::sharing::{check_answers, check_condition, check_overlay, check_selector};
use super::window::check_window;
use crate::layout::{self, Check, LayoutError};

/// Checks a register's place, its overlaps with earlier registers, and its values.
pub(super) fn check_register(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    check_array(descriptor, index)?;
    check_place(descriptor, index, crowded)?;
    check_mask(descriptor, index)?;
    check_writable(descriptor, index)?;
    check_reset(descriptor, index)?;
    check_default(descriptor, index)?;
    check_overlay(descriptor, index, crowded)?;
    check_condition(descriptor, index)?;
    check_selector(descriptor, index)?;
    check_answers(descriptor, index)?;
    check_window(descriptor, index)?;
    check_behaviour(descriptor, index)
}

/// The part of `check_register` for the length and the stride of an array.
pub const fn check_array(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    if let Err(error) = layout::spaced(&register.extent()) {
        return Err(error);
    }
    match descriptor.bar(register.bar()) {
        Some(bar) if register.extent().count > 1 => {
            layout::inside(&register.extent(), register.bar(), bar.size)
        }
        _ => Ok(()),
    }
}

/// The part of `check_register` for the offset. Only registers that are `crowded` are compared
/// with each other.
pub const fn check_place(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let register = &descriptor.registers[index];
    let (bar, extent) = (register.bar(), register.extent());
    if bar == layout::CONFIG {
        if let Err(error) = layout::aligned(&extent) {
            return Err(error);
        }
        if let Err(error) = check_in_config(descriptor, &extent) {
            return Err(error);
        }
        return check_apart(descriptor, index, crowded);
    }
    let declared = match bar_of(descriptor, &extent, bar) {
        Ok(declared) => declared,
        Err(error) => return Err(error),
    };
    if let Err(error) = layout::aligned(&extent) {
        return Err(error);
    }
    if extent.count == 1
        && let Err(error) = layout::inside(&extent, bar, declared.size)
    {
        return Err(error);
    }
    check_apart(descriptor, index, crowded)
}

/// Compares a register with the registers before it.
const fn check_apart(descriptor: &Descriptor, index: usize, crowded: &[bool]) -> Check<'static> {
    if !crowded[index] {
        return Ok(());
    }
    let register = &descriptor.registers[index];
    let (bar, extent) = (register.bar(), register.extent());
    let answers = register.all_answers(descriptor.registers);
    let mut earlier = 0;
    while earlier < index {
        let other = &descriptor.registers[earlier];
        let (other_extent, other_answers) =
            (other.extent(), other.all_answers(descriptor.registers));
        if crowded[earlier]
            && other.bar() == bar
            && let Err(error) = layout::apart((&extent, &answers), (&other_extent, &other_answers))
        {
            return Err(error);
        }
        earlier += 1;
    }
    Ok(())
}

/// The part of `check_register` for the implemented bits.
pub const fn check_mask(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    layout::masks(register.name(), register.width() as u64, register.implemented(), 0)
}

/// The part of `check_register` for the writable bits.
pub const fn check_writable(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(writable) = register.writable() else { return Ok(()) };
    layout::masks(register.name(), 8, register.implemented(), writable)
}

/// The part of `check_register` for the reset value.
pub const fn check_reset(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(value) = register.reset() else { return Ok(()) };
    if let Err(error) = register.check_field_resets(value) {
        return Err(error);
    }
    layout::reset(register.name(), register.width() as u64, value, register.implemented())
}

/// The part of `check_register` for defaults of older state.
pub const fn check_default(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let register = &descriptor.registers[index];
    let Some(added) = register.since() else { return Ok(()) };
    let (name, width, default) = (register.name(), register.width() as u64, added.default);
    if let Err(error) = layout::default(name, width, default, register.implemented()) {
        return Err(error);
    }
    match register.first_unknown(default) {
        Some(field) => {
            let value = field.extract(default);
            Err(LayoutError::DefaultUnknownValue { default, field: field.name, value })
        }
        None => Ok(()),
    }
}
