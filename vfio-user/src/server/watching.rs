//! What a port has in its thread's epoll set.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::poller::{Interest, Kind, Poller, Token};
use super::session::Wants;
use super::twin::Twin;
use crate::eventfd::EventFd;
use crate::interrupt::{Control, Interrupts};

/// What a port has in its thread's epoll set. Each method brings one kind of descriptor up to date,
/// by system calls only when something has changed.
#[derive(Debug, Default)]
pub(super) struct Watching {
    client: Option<Interest>,
    /// That of the request that waits. While it is kept here, no other one has its address.
    bell: Option<Arc<EventFd>>,
    /// Our own descriptor of it, as others may have the queue when the device is gone.
    transfers: Option<OwnedFd>,
    /// Our own descriptor of it, as the session may drop its own before.
    twin: Option<(OwnedFd, Interest)>,
    listener: bool,
    /// The function's number for it, and a descriptor of our own, which nobody else closes.
    wake: Option<(RawFd, OwnedFd)>,
    controls: Vec<Control>,
    /// The count of changes that `controls` was made for.
    control_changes: u64,
}

impl Watching {
    /// Whether there is nothing but the client.
    pub(super) fn is_client_alone(&self) -> bool {
        let nothing_else = self.wake.is_none() && self.transfers.is_none() && self.twin.is_none();
        self.client.is_some() && nothing_else && self.controls.is_empty()
    }

    pub(super) fn client(
        &mut self,
        poller: &Poller,
        port: usize,
        socket: Option<BorrowedFd<'_>>,
        wants: Wants,
    ) -> io::Result<()> {
        let Some(socket) = socket else { return Ok(()) };
        let interest = match wants {
            Wants::Write => Interest::Write,
            // It could be told only that the client has gone, again and again.
            Wants::Bell | Wants::Reader => {
                self.leave_client(poller, socket);
                return Ok(());
            }
            _ => Interest::Read,
        };
        let token = Token::Port(port, Kind::Client);
        match self.client {
            Some(now) if now == interest => return Ok(()),
            Some(_) => poller.modify(socket, token, interest)?,
            None => poller.add(socket, token, interest)?,
        }
        self.client = Some(interest);
        Ok(())
    }

    pub(super) fn leave_client(&mut self, poller: &Poller, socket: BorrowedFd<'_>) {
        if self.client.take().is_some() {
            poller.remove(socket);
        }
    }

    /// There is one only while a request waits. When that is over the next request may wait at once,
    /// for another one.
    pub(super) fn bell(
        &mut self,
        poller: &Poller,
        port: usize,
        bell: Option<&Arc<EventFd>>,
    ) -> io::Result<()> {
        if self.bell.as_ref().map(Arc::as_ptr) == bell.map(Arc::as_ptr) {
            return Ok(());
        }
        self.leave_bell(poller);
        if let Some(bell) = bell {
            poller.add(bell.as_fd(), Token::Port(port, Kind::Bell), Interest::Read)?;
            self.bell = Some(Arc::clone(bell));
        }
        Ok(())
    }

    fn leave_bell(&mut self, poller: &Poller) {
        if let Some(bell) = self.bell.take() {
            poller.remove(bell.as_fd());
        }
    }

    /// There is one while other threads may have the client asked.
    pub(super) fn transfers(
        &mut self,
        poller: &Poller,
        port: usize,
        wake: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        follow(&mut self.transfers, poller, Token::Port(port, Kind::Transfers), wake)
    }

    /// There is one while the client may be asked by it.
    pub(super) fn twin(
        &mut self,
        poller: &Poller,
        port: usize,
        twin: Option<&Twin>,
    ) -> io::Result<()> {
        let token = Token::Port(port, Kind::Twin);
        match (twin, &mut self.twin) {
            (Some(twin), None) => {
                let fd = twin.socket().try_clone_to_owned()?;
                poller.add(fd.as_fd(), token, twin.interest())?;
                self.twin = Some((fd, twin.interest()));
            }
            (Some(twin), Some((fd, interest))) if *interest != twin.interest() => {
                *interest = twin.interest();
                poller.modify(fd.as_fd(), token, *interest)?;
            }
            (None, Some(_)) => self.leave_twin(poller),
            _ => {}
        }
        Ok(())
    }

    fn leave_twin(&mut self, poller: &Poller) {
        if let Some((twin, _)) = self.twin.take() {
            poller.remove(twin.as_fd());
        }
    }

    pub(super) fn listener(
        &mut self,
        poller: &Poller,
        port: usize,
        listener: Option<BorrowedFd<'_>>,
        wanted: bool,
    ) -> io::Result<()> {
        let Some(listener) = listener else { return Ok(()) };
        match (self.listener, wanted) {
            (false, true) => {
                poller.add(listener, Token::Port(port, Kind::Listener), Interest::Read)?;
            }
            (true, false) => poller.remove(listener),
            _ => {}
        }
        self.listener = wanted;
        Ok(())
    }

    pub(super) fn wake(
        &mut self,
        poller: &Poller,
        port: usize,
        wake: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let number = wake.map(|wake| wake.as_raw_fd());
        if self.wake.as_ref().map(|(number, _)| *number) == number {
            return Ok(());
        }
        if let Some((_, before)) = self.wake.take() {
            poller.remove(before.as_fd());
        }
        if let Some(wake) = wake {
            let own = wake.try_clone_to_owned()?;
            poller.add(own.as_fd(), Token::Port(port, Kind::Wake), Interest::Read)?;
            self.wake = Some((wake.as_raw_fd(), own));
        }
        Ok(())
    }

    pub(super) fn controls(
        &mut self,
        poller: &Poller,
        port: usize,
        interrupts: &Interrupts,
    ) -> io::Result<()> {
        let changes = interrupts.control_changes();
        if changes == self.control_changes {
            return Ok(());
        }
        self.leave_controls(poller);
        self.controls = interrupts.controls();
        for (place, control) in self.controls.iter().enumerate() {
            let token = Token::Port(port, Kind::Control(place));
            poller.add(control.as_fd(), token, Interest::Edge)?;
        }
        self.control_changes = changes;
        Ok(())
    }

    /// One of the eventfds that mask interrupts may have been signalled.
    pub(super) fn poll_control(&self, place: usize, interrupts: &Interrupts) {
        if let Some(control) = self.controls.get(place) {
            interrupts.poll_control(control);
        }
    }

    fn leave_controls(&mut self, poller: &Poller) {
        self.controls.drain(..).for_each(|control| poller.remove(control.as_fd()));
    }

    /// Takes all of it out, but the client.
    pub(super) fn leave(&mut self, poller: &Poller, listener: Option<BorrowedFd<'_>>) {
        if let Some(listener) = listener.filter(|_| self.listener) {
            poller.remove(listener);
        }
        self.listener = false;
        if let Some((_, wake)) = self.wake.take() {
            poller.remove(wake.as_fd());
        }
        self.leave_bell(poller);
        leave(&mut self.transfers, poller);
        self.leave_twin(poller);
        self.leave_controls(poller);
    }
}

/// Waits for a descriptor while there is one, by one of our own.
fn follow(
    own: &mut Option<OwnedFd>,
    poller: &Poller,
    token: Token,
    fd: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    match (fd, &own) {
        (Some(fd), None) => {
            let fd = fd.try_clone_to_owned()?;
            poller.add(fd.as_fd(), token, Interest::Read)?;
            *own = Some(fd);
        }
        (None, Some(_)) => leave(own, poller),
        _ => {}
    }
    Ok(())
}

fn leave(own: &mut Option<OwnedFd>, poller: &Poller) {
    if let Some(own) = own.take() {
        poller.remove(own.as_fd());
    }
}
