//! What an endpoint waits for: descriptors, deadlines, and memory that a guest writes.

use std::io;
use std::time::Instant;

use super::clients::has_checked;
use super::{Endpoint, Ready};
use crate::monitor::Desk;
use crate::server::poller::{EndpointFd, Poller};
use crate::server::session::{Session, Wants};

impl Endpoint {
    /// Notes that a descriptor of the endpoint is ready.
    pub(in crate::server) fn note(&mut self, kind: EndpointFd) {
        match kind {
            EndpointFd::Client | EndpointFd::Released => self.ready |= Ready::SOCKET,
            EndpointFd::Listener => self.ready |= Ready::LISTENER,
            EndpointFd::Arrival => self.ready |= Ready::ARRIVALS,
            EndpointFd::Twin => {
                self.session.iter_mut().for_each(Session::note_replies);
                self.ready |= Ready::SOCKET;
            }
            EndpointFd::Transfers => {
                self.function.dma().transfers().clear_wake();
                self.ready |= Ready::SOCKET;
            }
            EndpointFd::Wake => self.ready |= Ready::WAKE,
            EndpointFd::Monitor => self.ready |= Ready::MONITOR,
            EndpointFd::Control(id) => {
                self.registrations.poll_control(id, self.function.interrupts());
            }
        }
    }

    /// Returns whether only the client's socket can wake it, except for new connections, which were
    /// checked lately. Then its receive may block.
    pub(in crate::server) fn may_wait(&self, polled_at: Instant) -> bool {
        has_checked(self.listens(), polled_at) && self.waits_for_its_client_alone()
    }

    fn waits_for_its_client_alone(&self) -> bool {
        let is_timed = self.deadline().is_some() || self.next_look().is_some();
        self.wants == Wants::Read
            && self.registrations.is_client_alone()
            && self.arrivals.is_empty()
            && !is_timed
    }

    /// Returns the time of the next look at memory that guests write without a message.
    pub(in crate::server) fn next_look(&self) -> Option<Instant> {
        self.function.next_poll()
    }

    /// Looks at that memory. Returns whether the function has work then.
    pub(in crate::server) fn look(&mut self) -> bool {
        let has_changed = self.function.poll();
        if has_changed {
            self.ready |= Ready::WAKE;
        }
        has_changed
    }

    /// Returns whether other threads can use memory by messages, and their requests are not waited
    /// for yet.
    pub(in crate::server) fn has_new_holder(&self) -> bool {
        let dma = self.function.dma();
        self.session.is_some()
            && dma.is_shared()
            && !self.registrations.has_transfers()
            && dma.transfers().wake().is_some()
    }

    /// Returns whether other clients may connect.
    pub(in crate::server) fn listens(&self) -> bool {
        self.socket.listener().is_some()
    }

    /// Returns the time by which it needs a turn.
    pub(in crate::server) fn deadline(&self) -> Option<Instant> {
        let due = self.due();
        let late = self.arrivals.deadline();
        let own = self.not_before.into_iter().chain(self.retry);
        own.chain(self.deadline).chain(due).chain(late).min()
    }

    /// Notes that its deadline has passed.
    pub(in crate::server) fn note_deadline(&mut self) {
        self.ready |= Ready::WAKE | Ready::LISTENER | Ready::ARRIVALS;
        if self.due().is_some() || self.retry.is_some() {
            self.ready |= Ready::SOCKET;
        }
    }

    /// Returns the time by which its session needs a turn.
    fn due(&self) -> Option<Instant> {
        self.session.as_ref().and_then(|session| session.due(&*self.function))
    }

    /// Registers the descriptors for the next events with the poller.
    pub(super) fn watch(&mut self, poller: &Poller, index: usize) -> io::Result<()> {
        self.deadline = self.function.deadline();
        let socket = self.session.as_ref().map(Session::socket);
        self.registrations.client(poller, index, socket, self.wants)?;
        let release_event = self.session.as_ref().and_then(Session::release_event);
        self.registrations.release_event(poller, index, release_event)?;
        let listener = self.socket.listener();
        let listen = self.not_before.is_none();
        self.registrations.listener(poller, index, listener, listen)?;
        self.arrivals.watch(poller, index)?;
        self.registrations.monitor(poller, index, self.socket.desk().map(Desk::asked))?;
        self.registrations.wake(poller, index, self.function.wake())?;
        let dma = self.function.dma();
        let others_ask = self.session.is_some() && dma.is_shared();
        let transfers = if others_ask { dma.transfers().wake() } else { None };
        self.registrations.transfers(poller, index, transfers)?;
        let is_asked = dma.is_shared() || !dma.transfers().is_idle();
        let twin = self.session.as_ref().filter(|_| is_asked).and_then(Session::twin);
        self.registrations.twin(poller, index, twin)?;
        self.registrations.controls(poller, index, self.function.interrupts())
    }
}
