//! Resets that the guest requests through configuration space.
//!
//! The client does not wait for such a reset: its write is answered at once. While memory is still
//! held, the function responds like one that is not ready after a reset (PCI Express Base
//! Specification 5.0, 6.6.2), and is reset when the last guard is dropped.

use std::time::{Duration, Instant};

use tracing::warn;

use super::{Method, PciDevice, PciFunction};
use crate::function::Migrate as _;
use crate::model::ResetKind;

/// A reset that waits until no memory is held.
#[derive(Debug)]
pub(super) struct Resetting {
    kind: ResetKind,
    since: Instant,
    /// The time of the next check, and the pause after that.
    next: Instant,
    pause: Duration,
    is_slow: bool,
}

impl Resetting {
    const FIRST: Duration = Duration::from_millis(1);
    const LAST: Duration = Duration::from_millis(10);
    /// A reset that takes longer is logged as a warning, because the guest waits for it.
    const SLOW: Duration = Duration::from_secs(1);

    pub(super) fn new(kind: ResetKind) -> Self {
        let now = Instant::now();
        Resetting { kind, since: now, next: now + Self::FIRST, pause: Self::FIRST, is_slow: false }
    }

    /// Notes a check that found memory still held.
    fn polled(&mut self) {
        self.pause = (self.pause * 2).min(Self::LAST);
        self.next = Instant::now() + self.pause;
        if !self.is_slow && self.since.elapsed() >= Self::SLOW {
            self.is_slow = true;
            warn!(kind = ?self.kind, "the reset waits: the device still holds memory");
        }
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns whether the function responds as one that is not ready: with ones.
    #[inline]
    pub(super) fn is_resetting(&self) -> bool {
        self.resetting.is_some()
    }

    /// Resets the function in the order in which a server does it, without waiting for memory.
    pub(crate) fn reset_in_order(&mut self, kind: ResetKind) {
        if let ResetKind::Soft(domain) = kind {
            self.call(Method::Reset, |device, cx| cx.soft_reset(device, domain));
            return;
        }
        self.quiesce();
        // A reset by the guest happens at once, so it ends the session of the events that wait. If
        // the client resets the device, these events are handled before the session ends.
        if kind != ResetKind::Device {
            self.runtime.end_session();
        }
        self.hold();
        self.finish_reset(kind);
    }

    pub(super) fn finish_reset(&mut self, kind: ResetKind) {
        self.runtime.end_session();
        self.reset_by(kind);
        self.run_after_reset();
    }

    /// Completes a reset that waits, whether memory is held or not.
    pub(super) fn finish_waiting_reset(&mut self) {
        if let Some(Resetting { kind, .. }) = self.resetting.take() {
            self.finish_reset(kind);
        }
    }

    /// Delivers events, in which the device may release memory, and resets the device once it has.
    pub(super) fn work_on_reset(&mut self) {
        self.deliver_events();
        if !self.runtime.dma.has_holders() {
            self.finish_waiting_reset();
        } else if let Some(resetting) = &mut self.resetting {
            resetting.polled();
        }
    }

    /// Returns the domains that the device has ever reset by itself, a bit for each.
    pub(crate) fn soft_domains_used(&self) -> u8 {
        self.runtime.soft.used()
    }

    /// Returns the time of the next check whether memory is held.
    pub(crate) fn next_reset_poll(&self) -> Option<Instant> {
        self.resetting.as_ref().map(|resetting| resetting.next)
    }
}
