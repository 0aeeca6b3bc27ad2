//! Message signaled interrupts (PCI Local Bus Specification 3.0, 6.8).

use super::ConfigLayout;
use crate::layout::MsixLayout;
use crate::model::Msi;
use crate::model::spec::{msi as control, msix};

/// Lays out MSI (6.8.1).
pub(super) fn msi(layout: &mut ConfigLayout, at: usize, msi: Msi, vectors: u16) {
    let capable = u16::try_from(vectors.ilog2()).unwrap_or(0) << 1;
    let bit = |has, bit| if has { bit } else { 0 };
    let control = capable
        | bit(msi.is_64_bit(), control::ADDRESS_64)
        | bit(msi.is_maskable(), control::VECTOR_MASKS);
    layout.set(at + 2, control.to_le_bytes());
    layout.let_write(at + 2, (control::ENABLE | control::MULTIPLE_MESSAGE_ENABLE).to_le_bytes());
    layout.let_write(at + 4, (!0b11u32).to_le_bytes());
    if msi.is_64_bit() {
        layout.let_write(at + 8, u32::MAX.to_le_bytes());
    }
    layout.let_write(at + msi.data(), u16::MAX.to_le_bytes());
    if msi.is_maskable() {
        layout.let_write(at + msi.mask(), (u32::MAX >> (32 - vectors)).to_le_bytes());
    }
}

/// Lays out MSI-X (6.8.2).
pub(super) fn msix(layout: &mut ConfigLayout, at: usize, table: &MsixLayout) {
    let structure = |at: u64| (u32::try_from(at).unwrap_or(0) | u32::from(table.bar)).to_le_bytes();
    layout.set(at + 2, (table.vectors - 1).to_le_bytes());
    layout.let_write(at + 2, (msix::ENABLE | msix::FUNCTION_MASK).to_le_bytes());
    layout.set(at + 4, structure(table.table));
    layout.set(at + 8, structure(table.pba));
}
