//! Doorbells: writes that clients turn into signals of eventfds, which reach the device past its
//! socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::Doorbell;
use crate::eventfd::EventFd;
use crate::layout::{BarKind, CONFIG};
use crate::model::{DataMatch, Descriptor, Slot};
use crate::wake::{Token, Wakes};

/// The doorbells of a device. The eventfd of one exists from when a client asks for it until that
/// client leaves; while there is none, nothing is waited for.
#[derive(Debug)]
pub(super) struct Doorbells {
    bells: Box<[Bell]>,
    /// How many have an eventfd.
    open: usize,
    /// Of the last look.
    ready: Vec<EpollEvent>,
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
        Doorbells { bells: bells.collect(), open: 0, ready: Vec::new() }
    }

    /// Those of a BAR.
    pub(super) fn of(&self, bar: u8) -> impl Iterator<Item = Doorbell> + '_ {
        self.bells.iter().filter(move |bell| bell.bar == bar).map(|bell| bell.shown)
    }

    /// The eventfd of a doorbell, of which the BAR has `place` before it. It is waited for from now
    /// on, in the set that has `events`.
    pub(super) fn eventfd(
        &mut self,
        bar: u8,
        place: usize,
        wakes: &Wakes,
        events: BorrowedFd<'_>,
    ) -> io::Result<OwnedFd> {
        let mut bells = self.bells.iter_mut().enumerate().filter(|(_, bell)| bell.bar == bar);
        let (token, bell) = bells.nth(place).ok_or(io::ErrorKind::NotFound)?;
        if let Some(eventfd) = &bell.eventfd {
            return Ok(eventfd.try_clone()?.into());
        }
        let eventfd = EventFd::new()?;
        let shared = eventfd.try_clone()?.into();
        let token = u32::try_from(token).map_err(|_| io::ErrorKind::NotFound)?;
        wakes.set(events)?.add(eventfd.as_fd(), EpollFlags::EPOLLIN, Token::Bell(token))?;
        bell.eventfd = Some(eventfd);
        self.open += 1;
        Ok(shared)
    }

    /// The client has left: nobody rings any more. Who still has an eventfd rings in vain.
    pub(super) fn close(&mut self, wakes: &Wakes) {
        self.open = 0;
        let Some(set) = wakes.in_use() else { return };
        for eventfd in self.bells.iter_mut().filter_map(|bell| bell.eventfd.take()) {
            set.remove(eventfd.as_fd());
        }
    }

    /// How many have been rung since the last time, at most.
    pub(super) fn look(&mut self, wakes: &Wakes) -> usize {
        self.ready.clear();
        if let Some(set) = wakes.in_use().filter(|_| self.open > 0) {
            set.look(&mut self.ready);
        }
        self.ready.len()
    }

    /// One of those that [`look`](Self::look) has counted, if it still rings.
    pub(super) fn take(&self, number: usize) -> Option<Rung> {
        let Token::Bell(place) = Token::of(self.ready.get(number)?) else { return None };
        let bell = self.bells.get(place as usize)?;
        bell.eventfd.as_ref()?.take()?;
        Some((bell.bar, bell.slot, bell.shown.value))
    }
}
