//! The clients of an endpoint: accepting, greeting, serving and leaving.

use std::time::{Duration, Instant};

use super::{After, Endpoint, Ready, TurnContext};
use crate::error::Result;
use crate::function::{Admission, Step};
use crate::protocol::{Capabilities, Errno};
use crate::server::arrivals::{Arrival, CHECK_INTERVAL, has_hung_up};
use crate::server::budget::Budget;
use crate::server::error::SessionError;
use crate::server::guard::guarded;
use crate::server::poller::Poller;
use crate::server::reverse_requests::fail_all;
use crate::server::session::{Session, Wants};
use crate::server::socket::Accepted;

/// The time that a client waits for descriptors to become free.
const EXHAUSTED: Duration = Duration::from_millis(500);

impl Endpoint {
    /// Accepts connections, one of which may become the client.
    pub(super) fn receive_clients(
        &mut self,
        turn: &mut TurnContext<'_>,
        ready: Ready,
        after: After,
    ) -> After {
        let has_client = self.session.is_some();
        if !has_client && turn.shutdown.is_requested() && self.socket.listener().is_some() {
            return After::End(Ok(()));
        }
        let accepted = if !has_client || ready.contains(Ready::LISTENER) {
            self.accept(turn)
        } else {
            Ok(true)
        };
        if self.ready.union(ready).contains(Ready::ARRIVALS) {
            let mut noted = Ok(());
            self.arrivals.receive(turn.poller, turn.buffers, |error| {
                self.log.dropped(&error);
                if let Err(error) = guarded(|| self.function.not_connected(error.errno())) {
                    noted = Err(error);
                }
            });
            if let Err(panicked) = noted {
                return self.detach(turn.poller, Err(panicked));
            }
        }
        self.ready.remove(Ready::ARRIVALS);
        if let Some(after) = self.greet(turn) {
            return after;
        }
        match accepted {
            // No client is left, and no more will come.
            Ok(false) if self.session.is_none() && self.arrivals.is_empty() => After::End(Ok(())),
            Ok(_) => after,
            Err(error) => After::End(Err(error)),
        }
    }

    /// Accepts a connection. Returns whether another one can arrive.
    fn accept(&mut self, turn: &mut TurnContext<'_>) -> Result<bool> {
        if self.not_before.is_some_and(|time| time > Instant::now()) {
            return Ok(true);
        }
        self.not_before = None;
        match self.socket.accept()? {
            Accepted::Client(stream) => {
                let receiver = self.socket.receiver();
                match Arrival::new(stream, turn.shutdown, self.socket.patience(), receiver) {
                    Ok(arrival) => {
                        self.ready |= Ready::ARRIVALS;
                        if self.arrivals.push(turn.poller, arrival).is_some() {
                            self.log.dropped(&SessionError::Replaced);
                        }
                    }
                    Err(error) => self.log.dropped(&error.into()),
                }
            }
            Accepted::Forbidden(uid) => self.log.dropped(&SessionError::Forbidden(uid)),
            Accepted::NoClient => {}
            Accepted::Exhausted => {
                self.log.exhausted();
                self.not_before = Some(Instant::now() + EXHAUSTED);
            }
            Accepted::Closed => return Ok(false),
        }
        Ok(true)
    }

    /// Answers connections that have sent their first message: one becomes the client if there is
    /// none, the others are refused. Returns the next action, if it changes.
    fn greet(&mut self, turn: &mut TurnContext<'_>) -> Option<After> {
        while let Some(session) = self.session.as_ref().filter(|_| !self.arrivals.is_empty()) {
            // A client that has disconnected makes room, once its last messages are handled.
            let leaves = has_hung_up(session.socket());
            let arrival = if leaves {
                self.arrivals.take_late(turn.poller)?
            } else {
                self.arrivals.take_ready(turn.poller)?
            };
            arrival.refuse(Errno::EBUSY);
            self.log.refused();
        }
        while let Some(arrival) = self.arrivals.take_ready(turn.poller) {
            let ours = self.capabilities();
            match Session::open(arrival, &mut *self.function, &ours, &self.log) {
                Ok(session) => {
                    self.log.connected();
                    self.session = Some(session);
                    self.wants = Wants::Turn;
                    return Some(After::Turn);
                }
                Err(error) => {
                    self.log.dropped(&error);
                    if matches!(error, SessionError::Panicked) {
                        return Some(self.release(true));
                    }
                    if guarded(|| self.function.not_connected(error.errno())).is_err() {
                        return Some(self.release(true));
                    }
                }
            }
        }
        None
    }

    /// Returns the capabilities that are announced to clients.
    fn capabilities(&self) -> Capabilities {
        let write_multiple = self.socket.takes_write_multiple();
        let limits = self.socket.current_limits();
        Capabilities {
            max_data_xfer_size: limits.message_data as u64,
            max_dma_maps: limits.dma_maps as u64,
            write_multiple,
            ..Capabilities::ours()
        }
    }

    /// Serves the current client.
    pub(super) fn attend(&mut self, turn: &mut TurnContext<'_>, ready: bool, wait: bool) -> After {
        let late = turn.shutdown.is_requested()
            && self.patience().is_some_and(|until| until <= Instant::now());
        if late {
            return self.detach(turn.poller, Err(SessionError::Stuck));
        }
        let Some(session) = &mut self.session else { return After::Nothing };
        if !ready && self.wants != Wants::Turn {
            return After::Nothing;
        }
        let mut budget = if turn.alone { Budget::unlimited() } else { Budget::shared() };
        let (listener, polled_at) = (self.socket.listener(), turn.polled_at);
        let has_checked = || has_checked(listener.is_some(), polled_at);
        let wait: Option<&dyn Fn() -> bool> = if wait { Some(&has_checked) } else { None };
        let turned = session.turn(&mut *self.function, turn.buffers, &mut budget, wait);
        if session.take_interruption() {
            turn.poller.note_interruption();
        }
        match turned {
            Ok(Wants::End) => self.detach(turn.poller, Ok(())),
            Ok(wants) => {
                self.wants = wants;
                if wants == Wants::Turn { After::Turn } else { After::Nothing }
            }
            Err(error) => self.detach(turn.poller, Err(error)),
        }
    }

    /// Cleans up after the client.
    pub(super) fn detach(&mut self, poller: &Poller, ended: Result<(), SessionError>) -> After {
        let panicked = matches!(ended, Err(SessionError::Panicked));
        let Some(mut session) = self.session.take() else {
            return if panicked { After::Panicked } else { After::Turn };
        };
        match ended {
            Ok(()) => self.log.left(),
            Err(error) => self.log.dropped(&error),
        }
        self.registrations.leave_client(poller, session.socket());
        self.wants = Wants::End;
        self.remains.collect(|| session.drop_pending());
        self.release(panicked)
    }

    /// Removes the client's resources from the device, once it admits that.
    pub(super) fn release(&mut self, panicked: bool) -> After {
        if panicked || self.admits_cleanup() {
            return self.remove_resources(panicked);
        }
        // The client answers no more, and the function may wait for that.
        let failed = fail_all(&mut *self.function);
        if failed.is_err() { self.remove_resources(true) } else { After::Nothing }
    }

    /// Asks the function again after it has had work.
    pub(super) fn retry_cleanup(&mut self) -> After {
        if guarded(|| self.function.work()).is_err() {
            return self.remove_resources(true);
        }
        if self.admits_cleanup() { self.remove_resources(false) } else { After::Nothing }
    }

    fn admits_cleanup(&mut self) -> bool {
        let admission = guarded(|| self.function.admit(Step::Cleanup));
        self.delays_cleanup = matches!(admission, Ok(Admission::Later));
        !self.delays_cleanup
    }

    /// Removes the client's resources from the device.
    pub(super) fn remove_resources(&mut self, panicked: bool) -> After {
        self.delays_cleanup = false;
        let hung_up = fail_all(&mut *self.function);
        let cleaned = guarded(|| self.clean_up(panicked)).and(hung_up);
        self.has_panicked = panicked || cleaned.is_err();
        self.is_leaving = !self.has_panicked;
        self.continue_leaving()
    }

    /// Drops a slice of the client's memory, or restores one of what it has changed, and notifies
    /// the device when nothing is left. No other client is accepted before that.
    pub(super) fn continue_leaving(&mut self) -> After {
        if self.is_leaving {
            if self.remains.drop_slice() {
                return After::Turn;
            }
            let function = &mut *self.function;
            let continued = guarded(|| {
                let is_left = function.continue_state() == Ok(true);
                if !is_left {
                    function.disconnected();
                }
                is_left
            });
            if let Ok(true) = continued {
                return After::Turn;
            }
            self.is_leaving = false;
            self.has_panicked |= continued.is_err();
        }
        if self.socket.is_for_one_client() {
            return After::End(Ok(()));
        }
        if self.has_panicked { After::Panicked } else { After::Turn }
    }

    fn clean_up(&mut self, panicked: bool) {
        self.function.interrupts().disconnect();
        if !panicked && self.function.dma().has(0, u64::MAX).unwrap_or(true) {
            self.function.dma_unmapped(0..=u64::MAX);
        }
        self.remains.append(self.function.dma().disconnect());
        if !panicked {
            self.function.cancel_load();
        }
    }
}

/// Returns whether new connections, if there can be any, were checked lately.
pub(super) fn has_checked(listens: bool, polled_at: Instant) -> bool {
    !listens || polled_at.elapsed() < CHECK_INTERVAL
}
