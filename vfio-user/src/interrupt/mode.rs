//! How interrupts are delivered.

use super::Interrupts;
use crate::protocol::IrqIndex;

/// The way in which interrupts reach the guest now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptMode {
    /// They do not: neither MSI-X nor MSI is in use, and the function has no line, or the guest has
    /// disabled it.
    None,
    /// By the line INTA.
    Intx,
    /// By this number of MSI messages; source `n` uses message `n % messages`.
    Msi(u16),
    /// By this number of MSI-X vectors, one for each source.
    Msix(u16),
}

impl Interrupts {
    /// Returns how interrupts are delivered now.
    pub fn mode(&self) -> InterruptMode {
        let state = self.state();
        let vectors = |index: IrqIndex| &state.vectors[index as usize];
        let count = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        match state.route(0).0 {
            IrqIndex::Msix => InterruptMode::Msix(count(vectors(IrqIndex::Msix).count())),
            IrqIndex::Msi => InterruptMode::Msi(count(vectors(IrqIndex::Msi).messages())),
            _ if state.line_disabled || vectors(IrqIndex::Intx).count() == 0 => InterruptMode::None,
            _ => InterruptMode::Intx,
        }
    }
}
