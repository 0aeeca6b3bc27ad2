//! Interrupts that wait for earlier writes of the device.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Interrupts, State};
use crate::dma::PostedWrites;
use crate::protocol::IrqIndex;

/// The writes to the client's memory that the signals of one vector wait for.
///
/// A vector that is raised repeatedly while writes continue waits for the writes before the first
/// time, then for those before the last one. So it always makes progress.
#[derive(Debug, Default)]
pub(super) struct Fence {
    first: Option<u64>,
    last: Option<u64>,
    /// Whether it was raised for the last write as well.
    repeats: bool,
}

impl Fence {
    /// Returns whether the vector has to wait.
    pub(super) fn is_closed(&self) -> bool {
        self.first.is_some()
    }

    /// Delays the next signal until this write has settled.
    pub(super) fn wait_for(&mut self, write: u64, repeats: bool) {
        if self.first.is_none() {
            self.first = Some(write);
        } else {
            self.last = Some(write);
            self.repeats |= repeats;
        }
    }

    /// Opens the fence if the first write has settled: one signal passes.
    pub(super) fn open(&mut self, order: &PostedWrites) -> bool {
        self.first.take_if(|write| order.has_settled(*write)).is_some()
    }

    /// Closes the fence for the last write. Returns whether the vector was raised for that, too.
    pub(super) fn close_again(&mut self) -> bool {
        self.first = self.last.take();
        std::mem::take(&mut self.repeats)
    }

    /// Drops what was raised.
    pub(super) fn forget_raised(&mut self) {
        self.repeats = false;
    }
}

impl Interrupts {
    /// Makes interrupts wait for these writes.
    pub(crate) fn follow(&self, order: &Arc<PostedWrites>) {
        self.state().order = Some(Arc::clone(order));
    }

    /// Handles settled writes: delivers the interrupts that waited for them.
    pub(crate) fn settle(&self) {
        if !self.waits.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        let line_is_used = !state.line_disabled && state.route(0).0 == IrqIndex::Intx;
        let State { order: Some(order), vectors, .. } = &mut *state else { return };
        let waits =
            IrqIndex::ALL.into_iter().zip(vectors).fold(false, |waits, (index, vectors)| {
                vectors.settle(order, index != IrqIndex::Intx || line_is_used) || waits
            });
        self.waits.store(waits, Ordering::Relaxed);
        state.update_line();
    }

    /// Returns the last write that an interrupt that is raised now has to wait for.
    pub(super) fn write_before(&self, state: &State) -> Option<u64> {
        let write = state.order.as_ref().and_then(|order| order.unsettled());
        if write.is_some() {
            self.waits.store(true, Ordering::Relaxed);
        }
        write
    }
}
