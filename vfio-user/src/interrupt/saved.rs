//! The part of the interrupts that belongs to the device and migrates.

use super::{Interrupts, MESSAGES};
use crate::pci::InterruptControls;
use crate::protocol::IrqIndex;

/// The interrupts that a device has raised. The client's eventfds do not migrate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedInterrupts {
    /// The sources whose level is set.
    pub(crate) asserted: Vec<u16>,
    /// The messages that are held back.
    pub(crate) pending_msi: Vec<u32>,
    pub(crate) pending_msix: Vec<u32>,
    /// Whether a pulse of INTx is held back, or was signalled and not yet acknowledged. Loading
    /// signals it again, as it does for an asserted level.
    pub(crate) pending_line: bool,
    /// The controls that configuration space holds, and saves itself.
    pub(crate) controls: InterruptControls,
    /// The vectors that the MSI-X table masks, if it has effect. The table saves them itself.
    pub(crate) masks: Option<Vec<bool>>,
}

impl Interrupts {
    /// Returns the state that migrates.
    pub(crate) fn save(&self) -> SavedInterrupts {
        let state = self.state();
        let pending = |index: IrqIndex| state.vectors[index as usize].all_pending();
        SavedInterrupts {
            asserted: (0..self.sources).filter(|source| state.lines.is_set(*source)).collect(),
            pending_msi: pending(IrqIndex::Msi),
            pending_msix: pending(IrqIndex::Msix),
            pending_line: state.vectors[IrqIndex::Intx as usize].is_in_service(),
            controls: InterruptControls {
                line_disabled: state.line_disabled,
                messages: MESSAGES.map(|index| state.vectors[index as usize].message_control()),
            },
            masks: state.vectors[IrqIndex::Msix as usize].guest_masks(),
        }
    }

    /// Returns the first interrupt that the function lacks, and the list that contains it.
    pub(crate) fn lacks(&self, saved: &SavedInterrupts) -> Option<(&'static str, u32)> {
        let first = |all: &[u32], index| all.iter().copied().find(|n| *n >= self.count(index));
        let asserted = saved.asserted.iter().copied().find(|source| *source >= self.sources);
        asserted
            .map(|source| ("asserted", source.into()))
            .or_else(|| Some(("pending_msi", first(&saved.pending_msi, IrqIndex::Msi)?)))
            .or_else(|| Some(("pending_msix", first(&saved.pending_msix, IrqIndex::Msix)?)))
    }

    /// Restores saved state without delivering anything: [`Interrupts::release`] delivers pending
    /// interrupts.
    pub(crate) fn restore(&self, saved: &SavedInterrupts) {
        let mut state = self.state();
        state.line_disabled = saved.controls.line_disabled;
        state.lines.clear();
        for source in &saved.asserted {
            state.lines.set(*source, true);
        }
        for (index, control) in MESSAGES.into_iter().zip(saved.controls.messages) {
            let vectors = &mut state.vectors[index as usize];
            vectors.reset();
            vectors.control(control);
        }
        let [msi, msix] = MESSAGES.map(|index| index as usize);
        state.vectors[msi].set_pending(&saved.pending_msi);
        state.vectors[msix].set_pending(&saved.pending_msix);
        state.vectors[msix].set_guest_masks(saved.masks.as_deref());
        let line = &mut state.vectors[IrqIndex::Intx as usize];
        line.forget_pending();
        if saved.pending_line {
            line.set_pending(&[0]);
        }
        state.attribute_pending();
    }
}
