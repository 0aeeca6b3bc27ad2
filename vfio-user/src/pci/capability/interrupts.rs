//! Message signaled interrupts (PCI Local Bus Specification 3.0, 6.8).

use super::ConfigLayout;
use crate::layout::MsixLayout;
use crate::pci::spec::{msi, msix};

/// 6.8.1: 64-bit addresses, no masks for single vectors.
pub(super) fn msi(layout: &mut ConfigLayout, at: usize, vectors: u16) {
    let capable = u16::try_from(vectors.ilog2()).unwrap_or(0) << 1;
    layout.set(at + 2, (capable | msi::ADDRESS_64).to_le_bytes());
    layout.let_write(at + 2, (msi::ENABLE | msi::MULTIPLE_MESSAGE_ENABLE).to_le_bytes());
    layout.let_write(at + 4, (!0b11u64).to_le_bytes());
    layout.let_write(at + 12, u16::MAX.to_le_bytes());
}

/// 6.8.2.
pub(super) fn msix(layout: &mut ConfigLayout, at: usize, table: &MsixLayout) {
    let structure = |at: u64| (u32::try_from(at).unwrap_or(0) | u32::from(table.bar)).to_le_bytes();
    layout.set(at + 2, (table.vectors - 1).to_le_bytes());
    layout.let_write(at + 2, (msix::ENABLE | msix::FUNCTION_MASK).to_le_bytes());
    layout.set(at + 4, structure(table.table));
    layout.set(at + 8, structure(table.pba));
}
