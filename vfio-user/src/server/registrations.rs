//! The descriptors of an endpoint in its thread's epoll set.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::poller::{EndpointFd, Interest, Poller, Token};
use super::session::Wants;
use super::twin::Twin;
use crate::eventfd::EventFd;
use crate::fds::PeerSocket;
use crate::interrupt::{Control, ControlId, Interrupts};

/// The descriptors of an endpoint in its thread's epoll set. Each method updates one kind of
/// descriptor, with system calls only after a change.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    client: Option<Interest>,
    /// The eventfd of the pending request. While it is kept here, no other one has its address.
    release_event: Option<Arc<EventFd>>,
    /// A share of the eventfd of the queue: no descriptor is needed that the process may not have.
    transfers: Option<Arc<EventFd>>,
    /// A share of the eventfd that the monitor's thread signals.
    monitor: Option<Arc<EventFd>>,
    /// A share of the socket, because the session may drop its own earlier.
    twin: Option<(Arc<PeerSocket>, Interest)>,
    listener: bool,
    /// The function's descriptor number, and a descriptor of our own, which no other code closes.
    wake: Option<(RawFd, OwnedFd)>,
    controls: BTreeMap<ControlId, Control>,
    /// The changes of `controls` that are left to do: the system may have no room for a while.
    control_changes: VecDeque<(ControlId, Option<Control>)>,
}

impl Registrations {
    /// Returns whether only the client is in the set.
    pub(super) fn is_client_alone(&self) -> bool {
        let nothing_else = self.wake.is_none() && self.transfers.is_none() && self.twin.is_none();
        let is_alone = nothing_else && self.monitor.is_none();
        self.client.is_some() && is_alone && self.controls.is_empty()
    }

    pub(super) fn client(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        socket: Option<BorrowedFd<'_>>,
        wants: Wants,
    ) -> io::Result<()> {
        let Some(socket) = socket else { return Ok(()) };
        let interest = match wants {
            Wants::Write => Interest::Write,
            // The socket could only report, again and again, that the client has disconnected.
            Wants::Released | Wants::Reader => {
                self.leave_client(poller, socket);
                return Ok(());
            }
            _ => Interest::Read,
        };
        let token = Token::Endpoint(endpoint, EndpointFd::Client);
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

    /// Updates the eventfd, which exists only while a request is pending. The next request may be
    /// pending at once, with another one.
    pub(super) fn release_event(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        release_event: Option<&Arc<EventFd>>,
    ) -> io::Result<()> {
        if self.release_event.as_ref().map(Arc::as_ptr) == release_event.map(Arc::as_ptr) {
            return Ok(());
        }
        self.leave_bell(poller);
        if let Some(release_event) = release_event {
            poller.add(
                release_event.as_fd(),
                Token::Endpoint(endpoint, EndpointFd::Released),
                Interest::Read,
            )?;
            self.release_event = Some(Arc::clone(release_event));
        }
        Ok(())
    }

    fn leave_bell(&mut self, poller: &Poller) {
        if let Some(release_event) = self.release_event.take() {
            poller.remove(release_event.as_fd());
        }
    }

    /// Returns whether requests of other threads are waited for.
    pub(super) fn has_transfers(&self) -> bool {
        self.transfers.is_some()
    }

    /// Updates the eventfd that exists while other threads may send requests to the client.
    pub(super) fn transfers(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        wake: Option<&Arc<EventFd>>,
    ) -> io::Result<()> {
        follow(&mut self.transfers, poller, Token::Endpoint(endpoint, EndpointFd::Transfers), wake)
    }

    /// Updates the eventfd of the monitor's thread.
    pub(super) fn monitor(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        asked: Option<&Arc<EventFd>>,
    ) -> io::Result<()> {
        follow(&mut self.monitor, poller, Token::Endpoint(endpoint, EndpointFd::Monitor), asked)
    }

    /// Updates the second socket, which exists while requests to the client use it.
    pub(super) fn twin(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        twin: Option<&Twin>,
    ) -> io::Result<()> {
        let token = Token::Endpoint(endpoint, EndpointFd::Twin);
        match (twin, &mut self.twin) {
            (Some(twin), None) => {
                poller.add(twin.socket().as_fd(), token, twin.interest())?;
                self.twin = Some((Arc::clone(twin.socket()), twin.interest()));
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
        endpoint: usize,
        listener: Option<BorrowedFd<'_>>,
        wanted: bool,
    ) -> io::Result<()> {
        let Some(listener) = listener else { return Ok(()) };
        match (self.listener, wanted) {
            (false, true) => {
                poller.add(
                    listener,
                    Token::Endpoint(endpoint, EndpointFd::Listener),
                    Interest::Read,
                )?;
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
        endpoint: usize,
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
            poller.add(own.as_fd(), Token::Endpoint(endpoint, EndpointFd::Wake), Interest::Read)?;
            self.wake = Some((wake.as_raw_fd(), own));
        }
        Ok(())
    }

    pub(super) fn controls(
        &mut self,
        poller: &Poller,
        endpoint: usize,
        interrupts: &Interrupts,
    ) -> io::Result<()> {
        if interrupts.has_control_changes() {
            self.control_changes.extend(interrupts.take_control_changes());
        }
        while let Some((id, control)) = self.control_changes.front() {
            if let Some(before) = self.controls.remove(id) {
                poller.remove(before.as_fd());
            }
            if let Some(control) = control {
                let token = Token::Endpoint(endpoint, EndpointFd::Control(*id));
                poller.add(control.as_fd(), token, Interest::Edge)?;
                self.controls.insert(*id, control.clone());
            }
            self.control_changes.pop_front();
        }
        Ok(())
    }

    /// Handles an eventfd that masks interrupts and may have been signalled.
    pub(super) fn poll_control(&self, id: ControlId, interrupts: &Interrupts) {
        if let Some(control) = self.controls.get(&id) {
            interrupts.poll_control(control);
        }
    }

    fn leave_controls(&mut self, poller: &Poller) {
        for control in std::mem::take(&mut self.controls).values() {
            poller.remove(control.as_fd());
        }
    }

    /// Removes all descriptors but the client's.
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
        leave(&mut self.monitor, poller);
        self.leave_twin(poller);
        self.leave_controls(poller);
    }
}

/// Waits for an eventfd while it exists, and keeps a share of it.
fn follow(
    kept: &mut Option<Arc<EventFd>>,
    poller: &Poller,
    token: Token,
    eventfd: Option<&Arc<EventFd>>,
) -> io::Result<()> {
    match (eventfd, &kept) {
        (Some(eventfd), None) => {
            poller.add(eventfd.as_fd(), token, Interest::Read)?;
            *kept = Some(Arc::clone(eventfd));
        }
        (None, Some(_)) => leave(kept, poller),
        _ => {}
    }
    Ok(())
}

fn leave(kept: &mut Option<Arc<EventFd>>, poller: &Poller) {
    if let Some(eventfd) = kept.take() {
        poller.remove(eventfd.as_fd());
    }
}
