//! What a hook may touch besides its device.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::Device;
use super::events::{Events, Remote};
use crate::dma::Dma;
use crate::interrupt::{Interrupts, Irq};
use crate::protocol::IrqIndex;

/// The world around a device: its interrupts, its client's memory, its events.
///
/// Borrowed by every hook. What a thread needs of it (an [`Irq`], [`Dma`], a [`Remote`]) is a handle
/// to take along.
pub struct Cx<'a, D: Device> {
    runtime: &'a Runtime<D::Event>,
}

/// What the runtime keeps for a device and shows it through [`Cx`].
pub(crate) struct Runtime<E> {
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) dma: Dma,
    pub(crate) events: Events<E>,
}

impl<E> Runtime<E> {
    pub(crate) fn new(interrupts: Interrupts) -> io::Result<Self> {
        let events = Events::new()?;
        Ok(Runtime { interrupts: Arc::new(interrupts), dma: Dma::default(), events })
    }
}

impl<D: Device> fmt::Debug for Cx<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").finish_non_exhaustive()
    }
}

impl<'a, D: Device> Cx<'a, D> {
    pub(crate) fn new(runtime: &'a Runtime<D::Event>) -> Self {
        Cx { runtime }
    }

    /// The interrupt source with number `n`, from 0. One that the device lacks can be had, but not
    /// raised: that is logged.
    pub fn irq(&self, n: u16) -> Irq {
        self.runtime.interrupts.irq(n)
    }

    /// A quadword of the MSI-X pending bit array.
    pub(crate) fn msix_pending(&self, quadword: usize) -> u64 {
        self.runtime.interrupts.pending(IrqIndex::Msix, quadword)
    }

    /// The client's memory.
    pub fn dma(&self) -> &Dma {
        &self.runtime.dma
    }

    /// A handle by which other threads post events to this device.
    pub fn remote(&self) -> Remote<D::Event> {
        self.runtime.events.remote()
    }

    /// Posts an event to this device: it is handled after the current request has been answered and
    /// before the next one. One that is posted while events are handled comes with the next turn, so
    /// that clients are served in between.
    pub fn post(&self, event: D::Event) {
        self.runtime.events.post(event);
    }
}
