//! Doorbells: writes that clients turn into signals of eventfds, which bypass the socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::Doorbell;
use crate::eventfd::EventFd;
use crate::layout::{BarKind, CONFIG};
use crate::model::{DataMatch, Descriptor, Slot};
use crate::wake::{WakeSet, WakeSource};

/// The doorbells of a device. The eventfd of a doorbell exists from a client's request for it until
/// that client leaves; while there is none, nothing is waited for.
#[derive(Debug)]
pub(super) struct Doorbells {
    all: Box<[ServedDoorbell]>,
    /// The number of doorbells with an eventfd.
    open: usize,
    /// The events that the last [`poll`](Self::poll) found.
    ready: Vec<EpollEvent>,
}

#[derive(Debug)]
struct ServedDoorbell {
    bar: u8,
    slot: Slot,
    shown: Doorbell,
    eventfd: Option<EventFd>,
}

/// A doorbell that was rung: the register, its BAR, and what is known of the value.
pub(super) type Rung = (u8, Slot, DataMatch);

impl Doorbells {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let doorbells = descriptor.slots().filter_map(|(register, slot)| {
            let (bar, offset) = descriptor.locate(slot);
            let is_port = match descriptor.bars().get(usize::from(bar)) {
                Some(Some(bar)) => bar.kind() == BarKind::Io,
                _ => false,
            };
            let (size, value) = (register.width().into(), register.doorbell()?);
            let shown = Doorbell { offset, size, value, is_port };
            (bar != CONFIG).then_some(ServedDoorbell { bar, slot, shown, eventfd: None })
        });
        Doorbells { all: doorbells.collect(), open: 0, ready: Vec::new() }
    }

    /// Returns the doorbells of a BAR.
    pub(super) fn of(&self, bar: u8) -> impl Iterator<Item = Doorbell> + '_ {
        self.all.iter().filter(move |doorbell| doorbell.bar == bar).map(|doorbell| doorbell.shown)
    }

    /// Returns the eventfd of a doorbell, the one at index `index` in its BAR, and waits for it
    /// from now on, in the set that has `events`.
    pub(super) fn eventfd(
        &mut self,
        bar: u8,
        index: usize,
        wake_set: &WakeSet,
        events: BorrowedFd<'_>,
    ) -> io::Result<OwnedFd> {
        let mut doorbells =
            self.all.iter_mut().enumerate().filter(|(_, doorbell)| doorbell.bar == bar);
        let (token, doorbell) = doorbells.nth(index).ok_or(io::ErrorKind::NotFound)?;
        if let Some(eventfd) = &doorbell.eventfd {
            return Ok(eventfd.try_clone()?.into());
        }
        let eventfd = EventFd::new()?;
        let shared = eventfd.try_clone()?.into();
        let token = u32::try_from(token).map_err(|_| io::ErrorKind::NotFound)?;
        wake_set.set(events)?.add(
            eventfd.as_fd(),
            EpollFlags::EPOLLIN,
            WakeSource::Doorbell(token),
        )?;
        doorbell.eventfd = Some(eventfd);
        self.open += 1;
        Ok(shared)
    }

    /// Closes all eventfds when the client has left. Signals of eventfds that are still held
    /// elsewhere have no effect.
    pub(super) fn close(&mut self, wake_set: &WakeSet) {
        self.open = 0;
        let Some(set) = wake_set.in_use() else { return };
        for eventfd in self.all.iter_mut().filter_map(|doorbell| doorbell.eventfd.take()) {
            set.remove(eventfd.as_fd());
        }
    }

    /// Returns an upper bound of the number of doorbells that have been rung since the last call.
    pub(super) fn poll(&mut self, wake_set: &WakeSet) -> usize {
        self.ready.clear();
        if let Some(set) = wake_set.in_use().filter(|_| self.open > 0) {
            set.poll(&mut self.ready);
        }
        self.ready.len()
    }

    /// Returns one of the doorbells that [`poll`](Self::poll) has counted, if it is still
    /// signalled.
    pub(super) fn take(&self, number: usize) -> Option<u32> {
        let WakeSource::Doorbell(index) = WakeSource::of(self.ready.get(number)?) else {
            return None;
        };
        self.all.get(index as usize)?.eventfd.as_ref()?.take()?;
        Some(index)
    }

    /// Returns where a doorbell is, and the value that a signal stands for.
    pub(super) fn rung(&self, index: u32) -> Option<Rung> {
        let doorbell = self.all.get(index as usize)?;
        Some((doorbell.bar, doorbell.slot, doorbell.shown.value))
    }
}
