//! Blocks that have drivers, and the check that accesses reach the registers that a driver has
//! methods for.

use super::Bars;
use super::origin::Origin;
use crate::layout::{Check, Extent, LayoutError};
use crate::model::{Block, Register};

/// A block of registers that has a driver.
#[diagnostic::on_unimplemented(
    message = "block `{Self}` has no driver",
    label = "the driver of the device cannot reach its registers",
    note = "name one where the block is declared: `#[block(driver = ..)]`; or leave the block out \
            of the device's driver: `driver = skip` in the attribute of the field"
)]
pub trait HasDriver {
    /// The driver of an element, over BARs that it borrows.
    type Driver<'a, B: Bars + ?Sized + 'a>;

    /// What the driver accesses.
    const DRIVEN: Driven;

    /// Returns the driver of the element at this place.
    fn driver<B: Bars + ?Sized>(bars: &mut B, origin: Origin) -> Self::Driver<'_, B>;
}

/// What the driver of a block accesses.
#[derive(Clone, Copy, Debug)]
pub struct Driven {
    /// The registers of each element.
    pub registers: &'static [&'static Register],
    /// The blocks in each element, with what their drivers access.
    pub blocks: &'static [(&'static Block, &'static Driven)],
}

/// Checks that the BAR accepts accesses that reach each element of a register alone.
///
/// # Errors
///
/// [`LayoutError::NotAlone`], for the first one.
pub const fn check_driven(origin: &Origin, register: &'static Register) -> Check<'static> {
    check_elements(origin, Array::Register(register), 0, register.extent().count)
}

/// Checks the same of all registers of a block.
///
/// # Errors
///
/// As [`check_driven`].
pub const fn check_driven_block(origin: &Origin, block: &Block, driven: &Driven) -> Check<'static> {
    if block.is_placeholder() {
        return Ok(());
    }
    check_elements(origin, Array::Block(block, driven), 0, block.extent().count)
}

/// Registers or blocks at equal distances.
#[derive(Clone, Copy)]
enum Array<'a> {
    Register(&'static Register),
    Block(&'a Block, &'a Driven),
}

impl Array<'_> {
    const fn extent(&self) -> Extent<'static> {
        match self {
            Array::Register(register) => register.extent(),
            Array::Block(block, _) => block.extent(),
        }
    }
}

/// Checks elements of an array. Where the BAR accepts the same sizes for all of them, the first one
/// stands for the others: an array of thousands takes a few steps.
const fn check_elements(origin: &Origin, array: Array<'_>, from: u64, to: u64) -> Check<'static> {
    if from >= to {
        return Ok(());
    }
    let extent = array.extent();
    let first = origin.offset + extent.offset + extent.stride * from;
    let end = origin.offset + extent.offset + extent.stride * (to - 1) + extent.width;
    if to - from == 1 || origin.rules.has_one_set_of_sizes(first, end) {
        return check_element(origin, array, from);
    }
    let middle = from + (to - from) / 2;
    match check_elements(origin, array, from, middle) {
        Ok(()) => check_elements(origin, array, middle, to),
        error => error,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "arrays have 32-bit lengths")]
const fn check_element(origin: &Origin, array: Array<'_>, element: u64) -> Check<'static> {
    match array {
        Array::Register(register) => {
            let offset = origin.offset + register.offset_of(element as usize);
            if origin.largest(register, offset).is_some() {
                return Ok(());
            }
            Err(LayoutError::NotAlone { register: register.name(), offset, bar: origin.bar })
        }
        Array::Block(block, driven) => {
            check_members(&origin.of_element(block, element as usize), driven)
        }
    }
}

/// Checks the registers and blocks of one element of a block.
const fn check_members(origin: &Origin, driven: &Driven) -> Check<'static> {
    let mut index = 0;
    while index < driven.registers.len() {
        if let Err(error) = check_driven(origin, driven.registers[index]) {
            return Err(error);
        }
        index += 1;
    }
    let mut index = 0;
    while index < driven.blocks.len() {
        let (block, inner) = driven.blocks[index];
        if let Err(error) = check_driven_block(origin, block, inner) {
            return Err(error);
        }
        index += 1;
    }
    Ok(())
}
