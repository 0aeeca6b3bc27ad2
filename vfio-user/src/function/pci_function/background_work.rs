//! The work of a device besides the client's requests.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use tracing::info;

use super::reset::Resetting;
use super::{Method, PciDevice, PciFunction};
use crate::function::{BackgroundWork, Migrate as _};
use crate::tape::Input;

impl<D: PciDevice> BackgroundWork for PciFunction<D> {
    fn catch_up(&mut self) {
        if self.is_held() {
            return;
        }
        self.poll_watched(None);
        if let Some(tap) = self.tap() {
            self.replay_doorbells(&*tap);
        }
        let rung = self.runtime.doorbells.borrow_mut().poll(&self.runtime.wake_set);
        (0..rung).for_each(|number| self.take_doorbell(number));
    }

    fn wants_reset(&self) -> bool {
        self.wanted_reset.is_some()
    }

    fn reset_as_wanted(&mut self) {
        let Some(kind) = self.wanted_reset.take() else { return };
        if let Some(count) = self.guest_resets.hit() {
            info!(?kind, count, "the guest resets the function");
        }
        self.quiesce();
        self.runtime.end_session();
        self.hold();
        if !self.runtime.dma.has_holders() {
            self.finish_reset(kind);
            return;
        }
        // Interrupts that were raised before are dropped, and no new access begins.
        self.runtime.interrupts.reset();
        self.runtime.dma.set_bus_master(false);
        self.resetting = Some(Resetting::new(kind));
    }

    fn has_work(&self) -> bool {
        (self.is_resetting() || !self.is_held()) && self.runtime.events.has_own()
    }

    fn wake(&self) -> Option<BorrowedFd<'_>> {
        match self.is_held() {
            true if self.is_resetting() => self.runtime.events.wake(),
            true => None,
            false => self.runtime.wake(),
        }
    }

    fn deadline(&mut self) -> Option<Instant> {
        if self.is_held() {
            return self.next_reset_poll();
        }
        self.next_timer()
    }

    fn next_poll(&self) -> Option<Instant> {
        if self.is_held() { None } else { self.watched.next_poll() }
    }

    fn poll(&mut self) -> bool {
        !self.is_held() && self.has_unseen()
    }

    fn work(&mut self) {
        if self.is_resetting() {
            self.work_on_reset();
        } else if !self.is_held() {
            self.work_now();
        }
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Runs the hooks of one of the doorbells that were rung, unless an earlier hook has undone it.
    fn take_doorbell(&mut self, number: usize) {
        let doorbells = self.runtime.doorbells.borrow();
        let Some(index) = doorbells.take(number) else { return };
        let rung = doorbells.rung(index);
        drop(doorbells);
        if let Some(tap) = self.runtime.dma.tap() {
            tap.note(Input::Doorbell(index));
        }
        if let Some((bar, slot, value)) = rung {
            self.ring(bar, slot, value);
        }
    }

    pub(super) fn work_now(&mut self) {
        self.catch_up();
        self.expire_timers();
        self.deliver_events();
        self.deliver_readiness();
        self.poll_watched(None);
    }

    pub(super) fn deliver_events(&mut self) {
        let events = match self.runtime.dma.tap() {
            None => self.runtime.events.take(),
            Some(tap) => self.take_tapped_events(&**tap),
        };
        for event in events {
            // The hook of an earlier event may have ended the session.
            if !self.runtime.events.is_due(&event) {
                continue;
            }
            self.call(Method::Event, |device, cx| device.event(cx, event.into_event()));
        }
    }

    /// Posts an event for each watched descriptor that is ready.
    fn deliver_readiness(&mut self) {
        if let Some(tap) = self.tap().filter(|tap| tap.replays()) {
            return self.replay_readiness(&*tap);
        }
        for index in 0..self.runtime.watches.poll(&self.runtime.wake_set) {
            if let Some(event) = self.runtime.watches.event(index) {
                self.note_ready(&event);
                self.call(Method::Event, |device, cx| device.event(cx, event));
            }
        }
    }
}
