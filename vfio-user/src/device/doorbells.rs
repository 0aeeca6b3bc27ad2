//! Doorbells: writes that clients turn into signals of eventfds, which reach the device past its
//! socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Descriptor, Doorbell, Slot};
use crate::eventfd::EventFd;
use crate::layout::{BarKind, CONFIG};
use crate::register::DataMatch;

/// The doorbells of a device. The eventfd of one exists from when a client asks for it until that
/// client leaves; while there is none, nothing is waited for.
#[derive(Debug)]
pub(super) struct Doorbells {
    bells: Box<[Bell]>,
}

#[derive(Debug)]
struct Bell {
    bar: u8,
    slot: Slot,
    shown: Doorbell,
    eventfd: Option<EventFd>,
}

/// A doorbell that was rung: which register of which BAR, and what is known of the value.
pub(super) type Rung = (u8, Slot, DataMatch);

impl Doorbells {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let bells = descriptor.slots().filter_map(|(register, slot)| {
            let (bar, offset) = descriptor.place(slot);
            let is_port = match descriptor.bars().get(usize::from(bar)) {
                Some(Some(bar)) => bar.kind() == BarKind::Io,
                _ => false,
            };
            let (size, value) = (register.width().into(), register.doorbell()?);
            let shown = Doorbell { offset, size, value, is_port };
            (bar != CONFIG).then_some(Bell { bar, slot, shown, eventfd: None })
        });
        Doorbells { bells: bells.collect() }
    }

    /// Those of a BAR.
    pub(super) fn of(&self, bar: u8) -> impl Iterator<Item = Doorbell> + '_ {
        self.bells.iter().filter(move |bell| bell.bar == bar).map(|bell| bell.shown)
    }

    /// The eventfd of a doorbell, of which the BAR has `place` before it. `wait` lets it be waited for
    /// from now on, under its number.
    pub(super) fn eventfd(
        &mut self,
        bar: u8,
        place: usize,
        wait: impl FnOnce(BorrowedFd<'_>, u32) -> io::Result<()>,
    ) -> io::Result<OwnedFd> {
        let mut bells = (0..).zip(&mut self.bells).filter(|(_, bell)| bell.bar == bar);
        let (number, bell) = bells.nth(place).ok_or(io::ErrorKind::NotFound)?;
        if let Some(eventfd) = &bell.eventfd {
            return Ok(eventfd.try_clone()?.into());
        }
        let eventfd = EventFd::new()?;
        let shared = eventfd.try_clone()?.into();
        wait(eventfd.as_fd(), number)?;
        bell.eventfd = Some(eventfd);
        Ok(shared)
    }

    /// The client has left: nobody rings any more. Who still has an eventfd rings in vain.
    pub(super) fn close(&mut self, forget: impl Fn(BorrowedFd<'_>)) {
        for eventfd in self.bells.iter_mut().filter_map(|bell| bell.eventfd.take()) {
            forget(eventfd.as_fd());
        }
    }

    /// The doorbell with this number, if it was rung.
    pub(super) fn take(&self, number: usize) -> Option<Rung> {
        let bell = self.bells.get(number)?;
        bell.eventfd.as_ref()?.take()?;
        Some((bell.bar, bell.slot, bell.shown.value))
    }
}
