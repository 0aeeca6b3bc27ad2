//! The rules of messages, and of the tables of MSI-X.

use super::super::Descriptor;
use super::block::check_apart_from_blocks;
use super::range::check_apart_from_ranges;
use super::shared::check_apart_from_shared;
use crate::layout::{self, BarKind, Check, Extent, LayoutError};

/// Checks the number of MSI vectors.
///
/// # Errors
///
/// [`LayoutError::MsiVectors`].
pub const fn check_msi(descriptor: &Descriptor) -> Check<'static> {
    layout::msi_vectors(descriptor.msi as u64)
}

/// Checks the MSI-X table and its pending bits.
///
/// # Errors
///
/// The first rule that is violated.
pub const fn check_msix(descriptor: &Descriptor) -> Check<'static> {
    let Some(msix) = descriptor.msix else { return Ok(()) };
    if let Err(error) = layout::msix_vectors(msix.vectors as u64) {
        return Err(error);
    }
    if let Err(error) = layout::bar_index(msix.bar as u64) {
        return Err(error);
    }
    let Some(bar) = descriptor.bars[msix.bar as usize] else { return Ok(()) };
    if let BarKind::Io = bar.kind {
        return Err(LayoutError::MsixInIoBar { bar: msix.bar });
    }
    let (table, pba) = (msix.table_extent(), msix.pba_extent());
    if let Err(error) = layout::msix_structure(&table, msix.bar, bar.size) {
        return Err(error);
    }
    if let Err(error) = layout::msix_structure(&pba, msix.bar, bar.size) {
        return Err(error);
    }
    if let Err(error) = layout::disjoint(&table, &pba) {
        return Err(error);
    }
    if let Err(error) = check_msix_apart(descriptor, &table, msix.bar) {
        return Err(error);
    }
    check_msix_apart(descriptor, &pba, msix.bar)
}

/// Checks that neither registers, memory nor clients reach an MSI-X structure.
const fn check_msix_apart(
    descriptor: &Descriptor,
    structure: &Extent<'static>,
    bar: u8,
) -> Check<'static> {
    if let Err(error) = check_apart_from_shared(descriptor, structure, bar) {
        return Err(error);
    }
    let mut i = 0;
    while i < descriptor.registers.len() {
        let register = &descriptor.registers[i];
        if register.bar() == bar
            && let Err(error) =
                layout::own_pages(structure, &register.extent(), descriptor.shares_msix_pages)
        {
            return Err(error);
        }
        i += 1;
    }
    if let Err(error) = check_apart_from_ranges(descriptor, structure, bar) {
        return Err(error);
    }
    check_apart_from_blocks(descriptor, structure, bar)
}
