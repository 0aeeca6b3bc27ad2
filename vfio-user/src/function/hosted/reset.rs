//! Resets that the guest asks for by configuration space.
//!
//! The client is not kept waiting by one: it is taken at once. While memory is still held, the function
//! answers as one that is not ready after a reset (PCI Express Base Specification 5.0, 6.6.2), and is reset
//! when the last guard is gone.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::{Function, Hosted, PciDevice};
use crate::model::ResetKind;

/// A reset that waits until no memory is held.
#[derive(Debug)]
pub(super) struct Resetting {
    kind: ResetKind,
    since: Instant,
    /// When to look again, and how long to wait after that.
    next: Instant,
    pause: Duration,
    is_slow: bool,
}

impl Resetting {
    const FIRST: Duration = Duration::from_millis(1);
    const LAST: Duration = Duration::from_millis(10);
    /// What takes longer is worth a warning: the guest waits meanwhile.
    const SLOW: Duration = Duration::from_secs(1);

    fn new(kind: ResetKind) -> Self {
        let now = Instant::now();
        Resetting { kind, since: now, next: now + Self::FIRST, pause: Self::FIRST, is_slow: false }
    }

    /// It has been looked at, and memory is still held.
    fn looked(&mut self) {
        self.pause = (self.pause * 2).min(Self::LAST);
        self.next = Instant::now() + self.pause;
        if !self.is_slow && self.since.elapsed() >= Self::SLOW {
            self.is_slow = true;
            warn!(kind = ?self.kind, "the device holds memory, so it is not reset yet");
        }
    }
}

impl<D: PciDevice> Hosted<D> {
    /// Whether the function answers as one that is not ready: with ones.
    #[inline]
    pub(super) fn is_resetting(&self) -> bool {
        self.resetting.is_some()
    }

    /// Takes the reset that the guest has asked for: does it, or begins to wait.
    pub(super) fn reset_by_guest(&mut self) {
        let Some(kind) = self.wanted_reset.take() else { return };
        info!(?kind, "the guest resets the function");
        self.quiesce();
        self.runtime.end_session();
        self.hold();
        if !self.runtime.dma.has_holders() {
            self.finish_reset(kind);
            return;
        }
        // What was raised before is forgotten, and no access begins any more.
        self.runtime.interrupts.reset();
        self.runtime.dma.let_access(false);
        self.resetting = Some(Resetting::new(kind));
    }

    /// Resets the function in the order in which a server does it, without waiting for memory.
    pub(crate) fn reset_in_order(&mut self, kind: ResetKind) {
        self.quiesce();
        // What the guest resets is reset at once, so its session is over for the events that wait;
        // they are handled in the session when the client resets the device.
        if kind != ResetKind::Device {
            self.runtime.end_session();
        }
        self.hold();
        self.finish_reset(kind);
    }

    fn finish_reset(&mut self, kind: ResetKind) {
        self.runtime.end_session();
        self.reset_by(kind);
        self.run_after_reset();
    }

    /// Does a reset that waits, whether memory is held or not.
    pub(super) fn finish_waiting_reset(&mut self) {
        if let Some(Resetting { kind, .. }) = self.resetting.take() {
            self.finish_reset(kind);
        }
    }

    /// Delivers events, by which the device may release memory, and resets it once it has.
    pub(super) fn work_on_reset(&mut self) {
        self.deliver_events();
        if !self.runtime.dma.has_holders() {
            self.finish_waiting_reset();
        } else if let Some(resetting) = &mut self.resetting {
            resetting.looked();
        }
    }

    /// When to look again whether memory is held.
    pub(crate) fn next_look_at_reset(&self) -> Option<Instant> {
        self.resetting.as_ref().map(|resetting| resetting.next)
    }
}
