//! What of the interrupts is the device's own, and migrates with it.

use super::Interrupts;
use super::vectors::Vectors;
use crate::protocol::IrqIndex;

/// What a device has raised. Where it goes is the client's, and does not migrate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedInterrupts {
    /// The sources whose level is set.
    pub(crate) asserted: Vec<u16>,
    /// The messages that a mask holds back.
    pub(crate) pending_msi: Vec<u32>,
    pub(crate) pending_msix: Vec<u32>,
    /// The guest does not want INTx. Configuration space says so, and carries it.
    pub(crate) line_disabled: bool,
}

impl Interrupts {
    /// What migrates.
    pub(crate) fn save(&self) -> SavedInterrupts {
        let state = self.state();
        let pending = |index: IrqIndex| state.vectors[index as usize].all_pending();
        SavedInterrupts {
            asserted: (0..self.sources).filter(|source| state.lines.is_set(*source)).collect(),
            pending_msi: pending(IrqIndex::Msi),
            pending_msix: pending(IrqIndex::Msix),
            line_disabled: state.line_disabled,
        }
    }

    /// The first interrupt that the function lacks, and what it is listed in.
    pub(crate) fn lacks(&self, saved: &SavedInterrupts) -> Option<(&'static str, u32)> {
        let first = |all: &[u32], index| all.iter().copied().find(|n| *n >= self.count(index));
        let asserted = saved.asserted.iter().copied().find(|source| *source >= self.sources);
        asserted
            .map(|source| ("asserted", source.into()))
            .or_else(|| Some(("pending_msi", first(&saved.pending_msi, IrqIndex::Msi)?)))
            .or_else(|| Some(("pending_msix", first(&saved.pending_msix, IrqIndex::Msix)?)))
    }

    /// Becomes what was saved, without sending anything.
    pub(crate) fn restore(&self, saved: &SavedInterrupts) {
        let mut state = self.state();
        state.line_disabled = saved.line_disabled;
        state.lines.clear();
        for source in &saved.asserted {
            state.lines.set(*source, true);
        }
        state.vectors.iter_mut().for_each(Vectors::forget_pending);
        state.vectors[IrqIndex::Msi as usize].set_pending(&saved.pending_msi);
        state.vectors[IrqIndex::Msix as usize].set_pending(&saved.pending_msix);
    }
}
