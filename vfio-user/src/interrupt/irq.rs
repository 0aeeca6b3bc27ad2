//! The handle by which a device raises an interrupt.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::warn;

use super::Interrupts;
use super::waiting::Cause;
use crate::eventfd::EventFd;

/// One interrupt source of a device: number `n` is message `n` of MSI-X or MSI, whichever the guest
/// has enabled, and one of the levels that make up INTx.
///
/// A handle, for any thread. Raising never blocks: an eventfd whose counter is full has its
/// interrupt pending already. With fewer MSI messages enabled than the device has, source `n` goes
/// to message `n % enabled`.
#[derive(Clone, Debug)]
pub struct Irq {
    interrupts: Arc<Interrupts>,
    source: u16,
}

impl Irq {
    pub(super) fn new(interrupts: Arc<Interrupts>, source: u16) -> Self {
        Irq { interrupts, source }
    }

    /// Sends the message once; with INTx, pulses the line once.
    ///
    /// What cannot be delivered now pends, until it can be, or until [`withdraw`](Self::withdraw). A
    /// pulse of INTx shows as the interrupt status of configuration space until it has been signalled
    /// and the client has unmasked the line again; it is never signalled twice.
    pub fn raise(&self) {
        if self.exists() {
            self.interrupts.raise(self.source);
        }
    }

    /// Takes back what [`raise`](Self::raise) has left pending: software has done what the interrupt is
    /// for before it was delivered, as when it polls a vector that it has masked (PCI Express Base
    /// Specification 5.0, 6.1.4.5). Nothing happens if it was delivered already.
    ///
    /// [`set`](Self::set) and `#[intr]` do this by themselves, when the level falls and when the status
    /// is acknowledged.
    pub fn withdraw(&self) {
        if self.exists() {
            self.interrupts.withdraw(self.source, Cause::Pulse);
        }
    }

    /// Sets the level of this source. INTx is asserted while the level of any source is; with
    /// messages, a rising edge sends one, which no longer pends once the level has fallen.
    pub fn set(&self, level: bool) {
        if self.exists() {
            self.interrupts.set_level(self.source, level);
        }
    }

    /// Whether the level of this source is set.
    pub(crate) fn is_set(&self) -> bool {
        self.interrupts.is_set(self.source)
    }

    /// Whether the message that the level has sent is not delivered yet.
    pub(crate) fn waits(&self) -> bool {
        self.exists() && self.interrupts.waits(self.source)
    }

    /// Takes back the message that the level has sent, though the level stays.
    pub(crate) fn withdraw_level(&self) {
        if self.exists() {
            self.interrupts.withdraw(self.source, Cause::Level);
        }
    }

    /// Sends the message of a source whose level is set already. INTx is asserted, so there is
    /// nothing to add.
    pub(crate) fn send_again(&self) {
        if self.exists() {
            self.interrupts.send_again(self.source);
        }
    }

    /// The eventfd that the client has assigned to the message of this source, for a data path that
    /// signals it by itself: an `io_uring`, hardware, another process. `None` while it
    /// has assigned none, and with INTx, which is a level.
    ///
    /// Who signals it goes past all that [`raise`](Self::raise) looks at. A message that the client or
    /// the guest has masked is sent nevertheless, and none of them pends; nothing is held while the device
    /// is stopped, so such a data path has to stand still by then; and it does not wait for writes that the
    /// client does for the device. The client may assign another eventfd, or none, at any time: ask again
    /// before each burst of work, or when [`Device::irqs_changed`](crate::Device::irqs_changed) tells.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn eventfd(&self) -> io::Result<Option<EventFd>> {
        self.interrupts.eventfd(self.source)
    }

    fn exists(&self) -> bool {
        let sources = self.interrupts.sources;
        if self.source >= sources && !self.interrupts.warned.swap(true, Ordering::Relaxed) {
            warn!(irq = self.source, sources, "an interrupt that does not exist is dropped");
        }
        self.source < sources
    }
}
