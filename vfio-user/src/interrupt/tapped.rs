//! Interrupts that are recorded, or compared with a recording.

use std::sync::Arc;

use super::{Interrupts, State};
use crate::protocol::IrqIndex;
use crate::tape::{Act, Tap, Unrecorded};

impl Interrupts {
    /// Makes changes by the client, and all signals, pass a recorder or a player.
    pub(crate) fn set_tap(&self, tap: &Arc<dyn Tap>) {
        let mut state = self.state();
        state.vectors.iter_mut().for_each(|vectors| vectors.set_tap(tap));
        state.tap = Some(Arc::clone(tap));
    }
}

impl State {
    /// Notes a change by the client.
    pub(super) fn note(&self, act: impl FnOnce() -> Act) {
        if let Some(tap) = &self.tap {
            tap.act(act());
        }
    }

    /// Notes that the device takes an eventfd, whose signals are not seen.
    pub(super) fn note_eventfd(&self) {
        if let Some(tap) = &self.tap {
            tap.unrecorded(Unrecorded::Eventfd);
        }
    }

    /// Masks or unmasks vectors for the client.
    pub(super) fn mask_all(
        &mut self,
        index: IrqIndex,
        masked: bool,
        vectors: impl IntoIterator<Item = u32>,
    ) {
        let vectors = vectors.into_iter();
        let Some(tap) = &self.tap else {
            return vectors.for_each(|vector| self.mask(index, vector, masked));
        };
        let vectors: Vec<_> = vectors.collect();
        tap.act(Act::Mask { index: index.into(), vectors: vectors.clone(), masked });
        for vector in vectors {
            self.mask(index, vector, masked);
        }
    }
}
