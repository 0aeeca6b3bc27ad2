//! The handle by which a device raises an interrupt.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use tracing::warn;

use super::session::Session;
use super::waiting::Cause;
use super::{Interrupts, State};
use crate::eventfd::EventFd;

/// One interrupt source of a device: number `n` stands for message `n` of MSI-X or MSI, whichever
/// the guest has enabled, and for one of the levels that make up INTx.
///
/// This is a handle, for any thread. Raising never blocks: if the counter of an eventfd is full,
/// the interrupt is pending already. With fewer MSI messages enabled than the device has, source
/// `n` uses message `n % enabled`.
///
/// # Sessions
///
/// A handle belongs to the session in which [`Cx::irq`](crate::Cx::irq) returned it, and so do its
/// clones. The session ends when the client leaves, when the function is reset by any kind of
/// reset, and when other state is loaded. From then on the handle raises nothing, changes no level
/// and withdraws nothing, because the guest that waited for this work is gone: a thread need not
/// check. The first such call is logged. So give a thread a new handle with each piece of work, as
/// with [`Dma`](crate::Dma). A thread that outlives sessions posts an event
/// ([`Remote`](crate::Remote)), and the hook that handles it raises the interrupt.
///
/// A level that was set stays set when the client leaves, because it is state of the device, and
/// interrupts the next client. A handle of the current session lowers it.
#[derive(Clone, Debug)]
pub struct Irq {
    interrupts: Arc<Interrupts>,
    source: u16,
    session: Session,
}

impl Irq {
    /// Creates a handle for the current session.
    pub(super) fn new(interrupts: Arc<Interrupts>, source: u16) -> Self {
        let session = interrupts.session();
        Irq { interrupts, source, session }
    }

    /// Sends the message once; with INTx, pulses the line once.
    ///
    /// If the interrupt cannot be delivered now, it stays pending until it can be delivered or
    /// until [`withdraw`](Self::withdraw). The interrupt status of configuration space shows a
    /// pulse of INTx until it has been signalled and the client has unmasked the line again; a
    /// pulse is never signalled twice.
    pub fn raise(&self) {
        if let Some(mut state) = self.state() {
            self.interrupts.raise_for(&mut state, self.source, Cause::Pulse);
        }
    }

    /// Withdraws what [`raise`](Self::raise) has left pending. Use it when software has handled the
    /// cause before the delivery, for example by polling a vector that it has masked (PCI Express
    /// Base Specification 5.0, 6.1.4.5). Does nothing if the interrupt was delivered already.
    ///
    /// [`set`](Self::set) and `#[intr]` withdraw automatically, when the level falls and when the
    /// status is acknowledged.
    pub fn withdraw(&self) {
        if let Some(mut state) = self.state() {
            state.withdraw(self.source, Cause::Pulse);
        }
    }

    /// Sets the level of this source. INTx is asserted while the level of any source is set. With
    /// messages, a rising edge sends one, which stops being pending when the level falls.
    pub fn set(&self, level: bool) {
        if let Some(mut state) = self.state() {
            self.interrupts.set_level(&mut state, self.source, level);
        }
    }

    /// Returns whether the session of this handle has ended, so that it raises nothing any more.
    pub fn has_ended(&self) -> bool {
        self.session != self.interrupts.session()
    }

    /// Returns whether the level of this source is set.
    pub(crate) fn is_set(&self) -> bool {
        self.interrupts.state().lines.is_set(self.source)
    }

    /// Returns whether the message of the level is not delivered yet.
    pub(crate) fn waits(&self) -> bool {
        self.state().is_some_and(|mut state| state.waits(self.source, Cause::Level))
    }

    /// Withdraws the message of the level; the level stays.
    pub(crate) fn withdraw_level(&self) {
        if let Some(mut state) = self.state() {
            state.withdraw(self.source, Cause::Level);
        }
    }

    /// Sends the message of a source whose level is set already. INTx is asserted already, and is
    /// not changed.
    pub(crate) fn send_again(&self) {
        if let Some(mut state) = self.state() {
            self.interrupts.send_again(&mut state, self.source);
        }
    }

    /// Returns the eventfd that the client has assigned to the message of this source, for a data
    /// path that signals it directly: an `io_uring`, hardware, another process. Returns `None`
    /// while the client has assigned none, with INTx, which is a level, and once the session has
    /// ended.
    ///
    /// Signalling it directly bypasses masking, pending state, migration and the order of writes
    /// that the client does for the device. So such a data path has to stop when the device does
    /// ([`Device::quiesce`](crate::Device::quiesce)), also before a reset: the eventfd belongs to
    /// one client, and stays the same over its resets. It never reaches another client. The client
    /// may assign another eventfd, or none, at any time: get it again before each burst of work, or
    /// when [`Device::irqs_changed`](crate::Device::irqs_changed) is called.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub fn eventfd(&self) -> io::Result<Option<EventFd>> {
        self.state().map_or(Ok(None), |state| state.eventfd(self.source))
    }

    /// Returns whether the client has assigned an eventfd by which the interrupt reaches it now. An
    /// interrupt that is raised without one waits until the client assigns one.
    pub fn is_assigned(&self) -> bool {
        self.state().is_some_and(|state| state.is_assigned(self.source))
    }

    /// Returns the state of the interrupts, if this source exists and its session has not ended.
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        let Interrupts { sources, warned, .. } = &*self.interrupts;
        if self.source >= *sources {
            if !warned.swap(true, Ordering::Relaxed) {
                warn!(irq = self.source, sources, "an interrupt that does not exist is dropped");
            }
            return None;
        }
        let state = self.interrupts.state_in(self.session);
        if state.is_none()
            && let Some(count) = self.interrupts.late.hit()
        {
            let irq = self.source;
            warn!(irq, count, "a thread uses an interrupt of a session that has ended: ignored");
        }
        state
    }
}
