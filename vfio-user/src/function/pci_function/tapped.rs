//! What a device finds or receives, when it is recorded or replayed.

use std::collections::VecDeque;
use std::sync::Arc;

use tracing::error;

use super::{Method, PciDevice, PciFunction};
use crate::tape::{Input, Tap, Unrecorded};
use crate::wake::Posted;

impl<D: PciDevice> PciFunction<D> {
    /// Makes everything that enters or leaves the device pass a recorder or a player.
    pub(crate) fn set_tap(&self, tap: &Arc<dyn Tap>) {
        self.runtime.dma.set_tap(tap);
        self.runtime.interrupts.set_tap(tap);
    }

    pub(super) fn tap(&self) -> Option<Arc<dyn Tap>> {
        self.runtime.dma.tap().cloned()
    }

    /// Returns whether [`work`](crate::function::BackgroundWork::work) has something to do that
    /// follows from the device itself.
    pub(crate) fn has_own_work(&self) -> bool {
        let now = self.runtime.clock.now();
        let is_due = self.next_timer().is_some_and(|next| next <= now);
        is_due || self.is_resetting() || !self.runtime.events.is_empty()
    }

    /// Takes the events that are due, as a recording has them or for a recording.
    pub(super) fn take_tapped_events(&self, tap: &dyn Tap) -> VecDeque<Posted<D::Event>> {
        let (own, mut remote) = self.runtime.events.take_each();
        if !tap.replays() {
            note_events::<D>(tap, own.len(), &remote);
            return own.into_iter().chain(remote).collect();
        }
        if D::EVENTS.is_some() {
            // The recording has those of other threads.
            remote.retain(|posted| matches!(posted, Posted::Later(_)));
        }
        let mut events: VecDeque<_> = own.into_iter().chain(remote).collect();
        while let Some(Input::Event { place, of_session, event }) =
            tap.next(|input| matches!(input, Input::Event { .. }))
        {
            let Some(event) = decoded::<D>(&event) else { continue };
            let place = usize::try_from(place).unwrap_or(usize::MAX).min(events.len());
            events.insert(place, self.runtime.events.posted(event, of_session));
        }
        events
    }

    /// Notes the event of a descriptor that is ready.
    pub(super) fn note_ready(&self, event: &D::Event) {
        let Some(tap) = self.runtime.dma.tap() else { return };
        match encoded::<D>(event) {
            Some(event) => tap.note(Input::Ready(event.into())),
            None => tap.unrecorded(Unrecorded::Events),
        }
    }

    /// Delivers the events of descriptors that a recording has here.
    pub(super) fn replay_readiness(&mut self, tap: &dyn Tap) {
        while let Some(Input::Ready(event)) = tap.next(|input| matches!(input, Input::Ready(_))) {
            if let Some(event) = decoded::<D>(&event) {
                self.call(Method::Event, |device, cx| device.event(cx, event));
            }
        }
    }

    /// Rings the doorbells that a recording has here.
    pub(super) fn replay_doorbells(&mut self, tap: &dyn Tap) {
        while let Some(Input::Doorbell(index)) =
            tap.next(|input| matches!(input, Input::Doorbell(_)))
        {
            let rung = self.runtime.doorbells.borrow().rung(index);
            if let Some((bar, slot, value)) = rung {
                self.ring(bar, slot, value);
            }
        }
    }

    /// Notes the stores of a guest to watched registers, or does those that a recording has here.
    pub(super) fn tap_watched(&mut self, tap: &dyn Tap) {
        let is_watched = |input: &Input| matches!(input, Input::Watched { .. });
        while let Some(Input::Watched { register, bits }) = tap.next(is_watched) {
            let index = usize::try_from(register).unwrap_or(usize::MAX);
            if index < self.watched.len() {
                let register = self.watched.get(index);
                register.store(self.runtime.shared(register.bar), bits);
            }
        }
        for (number, register) in (0..).zip(self.watched.registers()) {
            let bits = register.memory(self.runtime.shared(register.bar));
            if register.is_polled && bits != register.seen {
                tap.note(Input::Watched { register: number, bits });
            }
        }
    }
}

fn note_events<D: PciDevice>(tap: &dyn Tap, before: usize, remote: &VecDeque<Posted<D::Event>>) {
    for (place, posted) in (before..).zip(remote) {
        let (event, of_session) = match posted {
            Posted::Event(event) => (event, false),
            Posted::OfSession(event, _) => (event, true),
            Posted::Later(_) => continue,
        };
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        match encoded::<D>(event) {
            Some(event) => tap.note(Input::Event { place, of_session, event: event.into() }),
            None => tap.unrecorded(Unrecorded::Events),
        }
    }
}

fn encoded<D: PciDevice>(event: &D::Event) -> Option<Vec<u8>> {
    D::EVENTS.and_then(|codec| (codec.encode)(event))
}

fn decoded<D: PciDevice>(bytes: &[u8]) -> Option<D::Event> {
    let event = D::EVENTS.and_then(|codec| (codec.decode)(bytes));
    if event.is_none() {
        error!("the recording has an event that is none of this device; it is not delivered");
    }
    event
}
