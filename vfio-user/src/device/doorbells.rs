//! Doorbells: writes that clients turn into signals of eventfds, which reach the device past its
//! socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Descriptor, Doorbell, Slot};
use crate::eventfd::EventFd;
use crate::layout::{BarKind, CONFIG};
use crate::register::DataMatch;

/// The doorbells of a device. The eventfd of one exists from when a client asks for it until that
/// client leaves; while there is none, nothing is waited for.
#[derive(Debug)]
pub(super) struct Doorbells {
    bells: Box<[Bell]>,
    set: Option<Set>,
}

#[derive(Debug)]
struct Bell {
    bar: u8,
    slot: Slot,
    shown: Doorbell,
    eventfd: Option<EventFd>,
}

/// What is waited for: the eventfds, and what wakes the device otherwise.
#[derive(Debug)]
struct Set {
    epoll: Epoll,
    /// Room for all of them.
    ready: Vec<EpollEvent>,
}

/// A doorbell that was rung: which register of which BAR, and what is known of the value.
pub(super) type Rung = (u8, Slot, DataMatch);

const OTHER: u64 = u64::MAX;

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
        Doorbells { bells: bells.collect(), set: None }
    }

    /// Those of a BAR.
    pub(super) fn of(&self, bar: u8) -> impl Iterator<Item = Doorbell> + '_ {
        self.bells.iter().filter(move |bell| bell.bar == bar).map(|bell| bell.shown)
    }

    /// The eventfd of a doorbell, of which the BAR has `place` before it. It is waited for from now
    /// on, together with `other`.
    pub(super) fn eventfd(
        &mut self,
        bar: u8,
        place: usize,
        other: BorrowedFd<'_>,
    ) -> io::Result<OwnedFd> {
        let mut bells = self.bells.iter_mut().enumerate().filter(|(_, bell)| bell.bar == bar);
        let (token, bell) = bells.nth(place).ok_or(io::ErrorKind::NotFound)?;
        if let Some(eventfd) = &bell.eventfd {
            return Ok(eventfd.try_clone()?.into());
        }
        let eventfd = EventFd::new()?;
        let set = match &mut self.set {
            Some(set) => set,
            none => none.insert(Set::new(other)?),
        };
        set.add(eventfd.as_fd(), token as u64)?;
        let shared = eventfd.try_clone()?.into();
        bell.eventfd = Some(eventfd);
        Ok(shared)
    }

    /// The client has left: nobody rings any more. Who still has an eventfd rings in vain.
    pub(super) fn close(&mut self) {
        if self.set.take().is_some() {
            self.bells.iter_mut().for_each(|bell| bell.eventfd = None);
        }
    }

    /// What to wait for, if there is an eventfd.
    pub(super) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.set.as_ref().map(|set| set.epoll.0.as_fd())
    }

    /// How many have been rung since the last time.
    pub(super) fn look(&mut self) -> usize {
        self.set.as_mut().map_or(0, Set::look)
    }

    /// One of those that [`look`](Self::look) has counted, if it still rings.
    pub(super) fn take(&self, number: usize) -> Option<Rung> {
        let token = self.set.as_ref()?.ready.get(number)?.data();
        let bell = self.bells.get(usize::try_from(token).ok()?)?;
        bell.eventfd.as_ref()?.take()?;
        Some((bell.bar, bell.slot, bell.shown.value))
    }
}

impl Set {
    fn new(other: BorrowedFd<'_>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut set = Set { epoll, ready: Vec::new() };
        set.add(other, OTHER)?;
        Ok(set)
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        self.ready.push(EpollEvent::empty());
        Ok(())
    }

    fn look(&mut self) -> usize {
        // Whatever else happened, what is ready stays so.
        self.epoll.wait(&mut self.ready, EpollTimeout::ZERO).unwrap_or(0)
    }
}
