//! The rules of a layout, applied to blocks of registers: each block as a whole is checked like a
//! register, after its registers.

use super::super::{Bar, Descriptor, Ids};
use super::config::check_in_config;
use super::crowded::{all_crowded, check_apart_from_earlier};
use super::intr::{check_block_vectors, check_effects, check_intr_registers};
use super::member::member;
use super::mirror::bar_of;
use super::nesting::check_block_nesting;
use super::register::check_register;
use super::shared::check_block_unshared;
use super::sharing::check_block_selector;
use super::window::check_block_windows;
use crate::layout::{self, BarKind, Check, Extent, LayoutError};
use crate::model::{Block, Register, RegisterFlags};

/// Returns the registers of a block as a device's registers, to check them.
pub const fn descriptor_of_block(registers: &'static [Register]) -> Descriptor {
    let no_ids =
        Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 };
    let room = Bar::new(BarKind::Mem64, 1 << 62);
    Descriptor::new("", no_ids).with_bar(0, room).with_registers(registers)
}

/// Checks a block of a device, with all that lies in it. One without elements is in order.
pub(super) fn check_block(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    if descriptor.blocks[index].count() == 0 {
        return Ok(());
    }
    check_contents(&descriptor.blocks[index])?;
    check_block_nesting(descriptor, index)?;
    check_block_selector(descriptor, index)?;
    check_block_vectors(descriptor, index)?;
    check_block_array(descriptor, index)?;
    check_block_place(descriptor, index, crowded)
}

/// Checks the registers of a block, and the blocks in it.
fn check_contents(block: &Block) -> Check<'static> {
    let alone = descriptor_of_block(block.registers())
        .with_interrupts(block.interrupts())
        .with_blocks(block.inner());
    let inside = all_crowded(&alone);
    for register in 0..alone.registers.len() {
        check_register(&alone, register, &inside)?;
    }
    check_effects(&alone)?;
    for intr in 0..alone.composed.len() {
        check_intr_registers(&alone, intr)?;
    }
    for (index, inner) in alone.own_blocks().iter().enumerate() {
        check_contents(inner)?;
        check_block_selector(&alone, index)?;
        check_block_array(&alone, index)?;
        check_inner_place(&alone, index, &inside)?;
    }
    Ok(())
}

/// The part of `check_block` for the length and the stride of an array.
pub const fn check_block_array(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let block = &descriptor.blocks[index];
    if block.is_placeholder() {
        return Ok(());
    }
    let extent = block.extent();
    if let Err(error) = layout::spaced(&extent) {
        return Err(error);
    }
    if extent.count == 1 {
        return Ok(());
    }
    if let Err(error) = layout::block_spaced(&extent, block.alignment()) {
        return Err(error);
    }
    match descriptor.bar(block.bar()) {
        Some(bar) => layout::inside(&extent, block.bar(), bar.size),
        None => Ok(()),
    }
}

/// The part of `check_block` for the offset. Only registers and blocks that are `crowded` are
/// compared with each other.
pub const fn check_block_place(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let block = &descriptor.blocks[index];
    if block.is_placeholder() {
        return Ok(());
    }
    let (bar, extent) = (block.bar(), block.extent());
    if let Err(error) = layout::block_aligned(&extent, block.alignment()) {
        return Err(error);
    }
    if let Err(error) = check_block_windows(descriptor, index) {
        return Err(error);
    }
    if block.is_body() {
        // The capability has been checked, and all others are compared with the capability.
        return Ok(());
    }
    if let Err(error) = check_block_inside(descriptor, &extent, bar) {
        return Err(error);
    }
    if let Err(error) = check_block_unshared(descriptor, index) {
        return Err(error);
    }
    if let Err(error) = check_block_order(descriptor, index) {
        return Err(error);
    }
    check_apart_from_earlier(descriptor, descriptor.registers.len() + index, crowded)
}

/// The part of `check_block` for the offset of a block in another one, whose blocks and registers
/// are those of the `descriptor`.
pub const fn check_inner_place(
    descriptor: &Descriptor,
    index: usize,
    crowded: &[bool],
) -> Check<'static> {
    let block = &descriptor.blocks[index];
    if block.is_placeholder() {
        return Ok(());
    }
    let extent = block.extent();
    if let Err(error) = layout::block_aligned(&extent, block.alignment()) {
        return Err(error);
    }
    if let Err(error) = check_block_inside(descriptor, &extent, block.bar()) {
        return Err(error);
    }
    check_apart_from_earlier(descriptor, descriptor.registers.len() + index, crowded)
}

/// Checks that a big-endian BAR has no registers that clients access without messages.
const fn check_block_order(descriptor: &Descriptor, index: usize) -> Check<'static> {
    let block = &descriptor.blocks[index];
    let Some(Bar { big: true, .. }) = descriptor.bar(block.bar()) else {
        return Ok(());
    };
    let mut step = 0;
    while step <= block.inner().len() {
        let registers = descriptor.blocks[member(descriptor, index, step)].registers();
        let mut i = 0;
        while i < registers.len() {
            if registers[i].is(RegisterFlags::WATCH) || registers[i].ioeventfd().is_some() {
                return Err(LayoutError::BigWithoutMessage { register: registers[i].name() });
            }
            i += 1;
        }
        step += 1;
    }
    Ok(())
}

/// Checks that a block lies in configuration space, or in a declared BAR.
/// [`Descriptor::check_block_array`] checks the end of an array in a BAR.
const fn check_block_inside(
    descriptor: &Descriptor,
    extent: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    if bar == layout::CONFIG {
        return check_in_config(descriptor, extent);
    }
    match bar_of(descriptor, extent, bar) {
        Ok(declared) if extent.count == 1 => layout::inside(extent, bar, declared.size),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Compares a structure of the runtime's, which has pages of its own, with all blocks.
pub(super) const fn check_apart_from_blocks(
    descriptor: &Descriptor,
    structure: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    let mut i = 0;
    while i < descriptor.own_blocks {
        let other = &descriptor.blocks[i];
        if other.bar() == bar
            && !other.is_body()
            && let Err(error) =
                layout::own_pages(structure, &other.extent(), descriptor.shares_msix_pages)
        {
            return Err(error);
        }
        i += 1;
    }
    Ok(())
}
