//! Interrupts that wait for what the device has written before them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Interrupts, State};
use crate::dma::Order;
use crate::protocol::IrqIndex;

/// The writes to the client's memory that the signals of one vector wait for.
///
/// A vector that is raised again and again while writes go on waits for those before the first time,
/// then for those before the last one: so it makes progress whatever comes.
#[derive(Debug, Default)]
pub(super) struct Fence {
    first: Option<u64>,
    last: Option<u64>,
    /// It has been raised for the last one, too.
    repeats: bool,
}

impl Fence {
    /// Whether it has to wait.
    pub(super) fn is_closed(&self) -> bool {
        self.first.is_some()
    }

    /// The next signal waits for this write.
    pub(super) fn wait_for(&mut self, write: u64, repeats: bool) {
        if self.first.is_none() {
            self.first = Some(write);
        } else {
            self.last = Some(write);
            self.repeats |= repeats;
        }
    }

    /// Opens it if the first write has settled: then one signal passes.
    pub(super) fn open(&mut self, order: &Order) -> bool {
        self.first.take_if(|write| order.has_settled(*write)).is_some()
    }

    /// Closes it for the last write. Whether the vector was raised for that, too.
    pub(super) fn close_again(&mut self) -> bool {
        self.first = self.last.take();
        std::mem::take(&mut self.repeats)
    }

    /// What was raised is forgotten.
    pub(super) fn forget_raised(&mut self) {
        self.repeats = false;
    }
}

impl Interrupts {
    /// Lets interrupts wait for these writes.
    pub(crate) fn follow(&self, order: &Arc<Order>) {
        self.state().order = Some(Arc::clone(order));
    }

    /// Writes have settled: delivers what has waited for them.
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

    /// The last write that an interrupt has to wait for that is raised now.
    pub(super) fn write_before(&self, state: &State) -> Option<u64> {
        let write = state.order.as_ref().and_then(|order| order.unsettled());
        if write.is_some() {
            self.waits.store(true, Ordering::Relaxed);
        }
        write
    }
}
