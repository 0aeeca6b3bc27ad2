//! Doorbells: writes that clients turn into signals of eventfds, which bypass the socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::wait_set::WaitSet;
use super::wake_set::{EpollSet, WakeSet, WakeSource};
use crate::eventfd::EventFd;
use crate::layout::{BarKind, CONFIG};
use crate::model::{DataMatch, Descriptor, Doorbell, Slot};

/// The doorbells of a device. The eventfd of a doorbell exists from a client's request for it until
/// that client leaves; while there is none, nothing is waited for.
#[derive(Debug)]
pub(crate) struct Doorbells {
    all: Box<[ServedDoorbell]>,
    /// The number of eventfds that wake the device's thread.
    watched: usize,
    /// The events that the last [`poll`](Self::poll) found.
    ready: Vec<EpollEvent>,
}

#[derive(Debug)]
struct ServedDoorbell {
    bar: u8,
    slot: Slot,
    shown: Doorbell,
    bell: Option<Bell>,
    /// What a signal wakes instead of the device's thread.
    worker: Option<Weak<WaitSet>>,
}

/// The eventfd of a doorbell, and the set by which it wakes the device's thread.
#[derive(Debug)]
struct Bell {
    eventfd: EventFd,
    set: Arc<EpollSet>,
    token: WakeSource,
}

/// A doorbell that was rung: the register, its BAR, and what is known of the value.
pub(crate) type Rung = (u8, Slot, DataMatch);

impl Doorbells {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let doorbells = descriptor.slots().filter_map(|(register, slot)| {
            let (bar, offset) = descriptor.locate(slot);
            let is_port = match descriptor.bars().get(usize::from(bar)) {
                Some(Some(bar)) => bar.kind() == BarKind::Io,
                _ => false,
            };
            let (size, value) = (register.width().into(), register.doorbell()?);
            let shown = Doorbell { offset, size, value, is_port };
            let doorbell = ServedDoorbell { bar, slot, shown, bell: None, worker: None };
            (bar != CONFIG).then_some(doorbell)
        });
        Doorbells { all: doorbells.collect(), watched: 0, ready: Vec::new() }
    }

    /// Returns the doorbells of a BAR.
    pub(crate) fn of(&self, bar: u8) -> impl Iterator<Item = Doorbell> + '_ {
        self.all.iter().filter(move |doorbell| doorbell.bar == bar).map(|doorbell| doorbell.shown)
    }

    /// Returns the eventfd of a doorbell, the one at index `index` in its BAR. From now on it wakes
    /// the device's thread, by `set`, or the worker that has taken the doorbell.
    pub(crate) fn eventfd(
        &mut self,
        bar: u8,
        index: usize,
        set: &Arc<EpollSet>,
    ) -> io::Result<OwnedFd> {
        let mut of_bar = (0..).zip(&self.all).filter(|(_, doorbell)| doorbell.bar == bar);
        let (number, doorbell) = of_bar.nth(index).ok_or(io::ErrorKind::NotFound)?;
        if let Some(eventfd) = doorbell.eventfd() {
            return Ok(eventfd.try_clone()?.into());
        }
        let eventfd = EventFd::new()?;
        let shared = eventfd.try_clone()?.into();
        self.connect(number, eventfd, set)?;
        Ok(shared)
    }

    /// Waits for the eventfd of a doorbell, by `set` or by the worker that has taken it.
    fn connect(&mut self, number: u32, eventfd: EventFd, set: &Arc<EpollSet>) -> io::Result<()> {
        let doorbell = &mut self.all[number as usize];
        let bell = Bell::new(eventfd, Arc::clone(set), WakeSource::Doorbell(number))?;
        doorbell.bell = Some(bell);
        // If the worker cannot wait for it, the device's thread does.
        if let Some(worker) = doorbell.worker.take().and_then(|worker| worker.upgrade()) {
            let _ = doorbell.hand_over(&worker);
        }
        self.count();
        Ok(())
    }

    /// Returns the eventfds that the client has, with their doorbells.
    pub(crate) fn open(&self) -> impl Iterator<Item = (u8, Doorbell, &EventFd)> {
        let all = self.all.iter();
        all.filter_map(|doorbell| Some((doorbell.bar, doorbell.shown, doorbell.eventfd()?)))
    }

    /// Waits for an eventfd that the client has of a doorbell, by `set` or by the worker that has
    /// taken the doorbell. A signal that has arrived counts.
    ///
    /// # Errors
    ///
    /// If there is no such doorbell, or the system refuses.
    pub(crate) fn adopt(
        &mut self,
        (bar, offset, value): (u8, u64, DataMatch),
        eventfd: EventFd,
        set: &Arc<EpollSet>,
    ) -> io::Result<()> {
        let is_it = |doorbell: &ServedDoorbell| {
            let Doorbell { offset: at, value: matched, .. } = doorbell.shown;
            (doorbell.bar, at, matched) == (bar, offset, value)
        };
        let found = (0..).zip(&self.all).find(|(_, doorbell)| is_it(doorbell));
        let (number, _) = found.ok_or(io::ErrorKind::NotFound)?;
        self.connect(number, eventfd, set)
    }

    /// Makes signals of the doorbell at `offset` of a BAR wake a worker instead of the device's
    /// thread, until [`take_back`](Self::take_back). Returns whether there is such a doorbell.
    pub(crate) fn hand_over(
        &mut self,
        (bar, offset): (u8, u64),
        worker: &Arc<WaitSet>,
    ) -> io::Result<bool> {
        let is_it = |one: &&mut ServedDoorbell| one.bar == bar && one.shown.offset == offset;
        let Some(doorbell) = self.all.iter_mut().find(is_it) else { return Ok(false) };
        doorbell.take_back();
        let handed = doorbell.hand_over(worker);
        self.count();
        handed.map(|()| true)
    }

    /// Makes all doorbells wake the device's thread again, because the session ends. Signals that
    /// a worker has not acted on have no effect.
    pub(crate) fn take_back(&mut self) {
        for doorbell in self.all.iter_mut().filter(|doorbell| doorbell.worker.is_some()) {
            doorbell.take_back();
            if let Some(bell) = &doorbell.bell {
                bell.eventfd.take();
            }
        }
        self.count();
    }

    /// Closes all eventfds when the client has left. Signals of eventfds that are still held
    /// elsewhere have no effect.
    pub(crate) fn close(&mut self) {
        for doorbell in &mut self.all {
            doorbell.take_back();
            doorbell.bell = None;
        }
        self.count();
    }

    /// Returns an upper bound of the number of doorbells that have been rung since the last call,
    /// of those that wake the device's thread.
    pub(crate) fn poll(&mut self, wake_set: &WakeSet) -> usize {
        self.ready.clear();
        if let Some(set) = wake_set.in_use().filter(|_| self.watched > 0) {
            set.poll(&mut self.ready);
        }
        self.ready.len()
    }

    /// Returns one of the doorbells that [`poll`](Self::poll) has counted, if it is still
    /// signalled.
    pub(crate) fn take(&self, number: usize) -> Option<u32> {
        let WakeSource::Doorbell(index) = WakeSource::of(self.ready.get(number)?) else {
            return None;
        };
        let doorbell = self.all.get(index as usize).filter(|one| one.worker.is_none())?;
        doorbell.bell.as_ref()?.eventfd.take()?;
        Some(index)
    }

    /// Returns where a doorbell is, and the value that a signal stands for.
    pub(crate) fn rung(&self, index: u32) -> Option<Rung> {
        let doorbell = self.all.get(index as usize)?;
        Some((doorbell.bar, doorbell.slot, doorbell.shown.value))
    }

    fn count(&mut self) {
        let watched = self.all.iter().filter(|one| one.bell.is_some() && one.worker.is_none());
        self.watched = watched.count();
    }
}

impl ServedDoorbell {
    fn eventfd(&self) -> Option<&EventFd> {
        self.bell.as_ref().map(|bell| &bell.eventfd)
    }

    fn hand_over(&mut self, worker: &Arc<WaitSet>) -> io::Result<()> {
        if let Some(Bell { eventfd, set, token }) = &self.bell {
            worker.add(eventfd.as_fd())?;
            set.pause(eventfd.as_fd(), *token);
        }
        self.worker = Some(Arc::downgrade(worker));
        Ok(())
    }

    fn take_back(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        if let Some(Bell { eventfd, set, token }) = &self.bell {
            if let Some(worker) = worker.upgrade() {
                worker.remove(eventfd.as_fd());
            }
            set.resume(eventfd.as_fd(), *token);
        }
    }
}

impl Bell {
    fn new(eventfd: EventFd, set: Arc<EpollSet>, token: WakeSource) -> io::Result<Self> {
        set.add(eventfd.as_fd(), EpollFlags::EPOLLIN, token)?;
        Ok(Bell { eventfd, set, token })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.set.remove(self.eventfd.as_fd());
    }
}
