//! An endpoint: one device, the source of its clients, and the current client.

mod clients;
mod hand_over;
mod watching;

use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitflags::bitflags;
use tracing::{Span, debug, error_span, field};

use super::arrivals::Arrivals;
use super::buffers::Buffers;
use super::error::SessionError;
use super::event_log::EventLog;
use super::guard::guarded;
use super::poller::Poller;
use super::registrations::Registrations;
use super::served_id::ServedId;
use super::session::{Session, Wants};
use super::shutdown::Shutdown;
use super::socket::{Socket, is_exhaustion};
use super::watchdog::{WatchedDevice, note_device};
use crate::dma::Remains;
use crate::error::{Error, Result};
use crate::function::Function;

/// Creates the device, and creates it anew after a panic.
pub(super) type Factory = Box<dyn FnMut() -> Result<Box<dyn Function>> + Send>;

/// The interval at which a session is polled while the process may open no more descriptors to wait
/// for it.
const RETRY: Duration = Duration::from_millis(20);

/// One device, the source of its clients, and the current client.
pub(super) struct Endpoint {
    id: ServedId,
    socket: Socket,
    function: Box<dyn Function>,
    /// `None` if the caller of the thread has it.
    factory: Option<Factory>,
    session: Option<Session>,
    arrivals: Arrivals,
    /// The event that the session waits for.
    wants: Wants,
    ready: Ready,
    registrations: Registrations,
    /// The time when the function has work.
    deadline: Option<Instant>,
    /// The time before which no client is accepted.
    not_before: Option<Instant>,
    /// The time of the next attempt to register all descriptors.
    retry: Option<Instant>,
    log: Arc<EventLog>,
    /// Names the device in every log line of its turns.
    span: Span,
    /// The data for the log of its slow hooks.
    watched_device: Arc<WatchedDevice>,
    /// Whether the function has not admitted yet that the resources of a client that has left are
    /// removed.
    delays_cleanup: bool,
    /// Whether the memory of a client that has left is still dropped, or what it has changed still
    /// restored.
    is_leaving: bool,
    /// What is left of the memory of a client that has left.
    remains: Remains,
    /// Whether the device has panicked, after which no hook is called.
    has_panicked: bool,
    /// While another program takes the device over: whether it was stopped before.
    was_stopped: Option<bool>,
}

bitflags! {
    /// The events since the last turn.
    #[derive(Clone, Copy, Debug, Default)]
    struct Ready: u8 {
        /// The client's socket, or the event that its request waits for.
        const SOCKET = 1;
        /// The function has work.
        const WAKE = 2;
        /// A new connection.
        const LISTENER = 4;
        /// A connection that has not negotiated yet.
        const ARRIVALS = 8;
        /// A request to disconnect the client.
        const DISCONNECT = 16;
        /// A question of the monitor's thread.
        const MONITOR = 32;
        /// A hook has panicked outside of a turn.
        const PANIC = 64;
    }
}

/// The context of an endpoint's turn.
pub(super) struct TurnContext<'a> {
    pub(super) poller: &'a Poller,
    pub(super) shutdown: &'a Shutdown,
    pub(super) buffers: &'a mut Buffers,
    /// Whether the thread has no other endpoint.
    pub(super) alone: bool,
    /// Whether nothing else has waited: then the turn may wait for the client's next bytes.
    pub(super) wait: bool,
    /// The time when the thread has last looked at its other descriptors.
    pub(super) polled_at: Instant,
}

/// The action after an endpoint's turn.
pub(super) enum After {
    /// Wait for the next event.
    Nothing,
    /// Another turn: there is more to do.
    Turn,
    /// Replace the device.
    Panicked,
    /// Remove the endpoint.
    End(Result<()>),
}

impl Endpoint {
    pub(super) fn new(
        id: ServedId,
        socket: Socket,
        function: Box<dyn Function>,
        factory: Option<Factory>,
    ) -> Self {
        Self::with_log(id, socket, function, factory, Arc::default())
    }

    fn with_log(
        id: ServedId,
        mut socket: Socket,
        mut function: Box<dyn Function>,
        factory: Option<Factory>,
        log: Arc<EventLog>,
    ) -> Self {
        if let Some(monitor) = socket.monitor_mut() {
            monitor.attach(function.observe(), function.running_hook());
        }
        let path = socket.path().map(|path| field::display(path.as_path().display()));
        let span = error_span!("device", name = function.name(), %id, socket = path);
        function.interrupts().follow(function.dma().transfers().posted_writes());
        function.limit(*socket.current_limits());
        function.dma().accept(socket.memory_files());
        let watched_device = WatchedDevice::new(&span, function.running_hook());
        Endpoint {
            id,
            socket,
            function,
            factory,
            session: None,
            arrivals: Arrivals::default(),
            wants: Wants::End,
            ready: Ready::default(),
            registrations: Registrations::default(),
            deadline: None,
            not_before: None,
            retry: None,
            log,
            span,
            watched_device: Arc::new(watched_device),
            delays_cleanup: false,
            is_leaving: false,
            remains: Remains::default(),
            has_panicked: false,
            was_stopped: None,
        }
    }

    pub(super) fn id(&self) -> ServedId {
        self.id
    }

    /// Requests that the client is disconnected at the next turn.
    pub(super) fn disconnect(&mut self) {
        self.ready |= Ready::DISCONNECT;
    }

    /// Returns whether a connection has been accepted that has not negotiated a version yet.
    pub(super) fn is_negotiating(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Returns the time until which it may continue when the server is to end.
    pub(super) fn patience(&self) -> Option<Instant> {
        self.session.as_ref().and_then(Session::deadline)
    }

    /// Does the current work.
    pub(super) fn turn(&mut self, turn: &mut TurnContext<'_>, index: usize) -> After {
        note_device(&self.watched_device);
        let span = self.span.clone();
        let _entered = span.enter();
        let after = catch_unwind(AssertUnwindSafe(|| {
            let mut after = self.take_turn_and_watch(turn, index);
            // Most requests change nothing that another part of the server has to see.
            while turn.wait
                && !turn.poller.is_interrupted()
                && matches!(after, After::Nothing)
                && self.may_wait(turn.polled_at)
            {
                after = self.take_turn_and_watch(turn, index);
            }
            after
        }));
        after.unwrap_or_else(|_| self.detach(turn.poller, Err(SessionError::Panicked)))
    }

    fn take_turn_and_watch(&mut self, turn: &mut TurnContext<'_>, index: usize) -> After {
        let after = self.take_turn(turn);
        let goes_on = matches!(after, After::Nothing | After::Turn);
        self.retry = None;
        match goes_on.then(|| self.watch(turn.poller, index)) {
            Some(Err(error)) if is_exhaustion(&error) => {
                self.retry = Some(Instant::now() + RETRY);
                after
            }
            Some(Err(error)) => self.give_up(turn.poller, error),
            _ => after,
        }
    }

    /// Ends the session, because the system refuses to register its descriptors.
    fn give_up(&mut self, poller: &Poller, error: io::Error) -> After {
        match self.session {
            Some(_) => self.detach(poller, Err(error.into())),
            None => After::End(Err(error.into())),
        }
    }

    fn take_turn(&mut self, turn: &mut TurnContext<'_>) -> After {
        if self.is_leaving {
            return self.continue_leaving();
        }
        let ready = mem::take(&mut self.ready);
        if ready.contains(Ready::PANIC) {
            return self.detach(turn.poller, Err(SessionError::Panicked));
        }
        if ready.contains(Ready::MONITOR)
            && let Err(panicked) = self.answer_monitor()
        {
            return self.detach(turn.poller, Err(panicked));
        }
        if self.delays_cleanup {
            return self.retry_cleanup();
        }
        let busy = self.function.has_work();
        if busy || ready.contains(Ready::WAKE) {
            // A panic ends the session before the client can send anything to it.
            if let Err(panicked) = guarded(|| self.function.work()) {
                return self.detach(turn.poller, Err(panicked));
            }
        }
        let after = match self.session {
            Some(_) if ready.contains(Ready::DISCONNECT) => {
                debug!("the client is disconnected by a handle");
                self.detach(turn.poller, Ok(()))
            }
            Some(ref session) => {
                let has_requests = !self.function.dma().transfers().is_idle();
                let is_admitted = ready.contains(Ready::WAKE) && session.wants_admission();
                let has_event = ready.contains(Ready::SOCKET) || is_admitted;
                let is_ready = has_event || turn.wait || has_requests;
                self.attend(turn, is_ready, turn.wait && !busy)
            }
            None => After::Nothing,
        };
        let after = match after {
            // The next client has to wait for the cleanup.
            After::Nothing | After::Turn if !self.delays_cleanup && !self.is_leaving => {
                self.receive_clients(turn, ready, after)
            }
            after => after,
        };
        match after {
            After::Nothing if self.function.has_work() => After::Turn,
            after => after,
        }
    }

    fn answer_monitor(&mut self) -> Result<(), SessionError> {
        let Some(desk) = self.socket.desk() else { return Ok(()) };
        guarded(|| desk.answer(|question| self.function.answer(question)))
    }

    /// Removes all descriptors from the poller, including the client's.
    pub(super) fn leave(&mut self, poller: &Poller) {
        let span = self.span.clone();
        let _entered = span.enter();
        if self.session.is_some() {
            debug!("the client of a removed device is disconnected");
            self.detach(poller, Ok(()));
        }
        if self.delays_cleanup {
            // The device ends, so nothing is left to wait for.
            self.remove_resources(false);
        }
        while self.is_leaving {
            self.continue_leaving();
        }
        self.arrivals.clear(poller);
        self.registrations.leave(poller, self.socket.listener());
    }

    /// Notifies the device that it is removed, unless it has panicked.
    ///
    /// # Errors
    ///
    /// The error of the device.
    pub(super) fn on_removed(&mut self) -> Result<()> {
        if self.has_panicked {
            return Ok(());
        }
        let _entered = self.span.enter();
        let mut retired = Ok(());
        if guarded(|| retired = self.function.on_removed()).is_err() {
            retired = Err(Error::device("the device panicked at its end"));
        }
        retired
    }

    /// Returns the same endpoint with a new device.
    ///
    /// # Errors
    ///
    /// The reason why the device cannot be served.
    pub(super) fn rebuild(
        self,
        own: &mut dyn FnMut(ServedId) -> Result<Box<dyn Function>>,
    ) -> Result<Self> {
        let Endpoint { id, socket, function, mut factory, log, span, .. } = self;
        let entered = span.enter();
        log.panicked();
        // Drop the old device first: it may hold resources that the new one needs.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(function)));
        let function = match &mut factory {
            Some(factory) => factory()?,
            None => own(id)?,
        };
        drop(entered);
        Ok(Endpoint::with_log(id, socket, function, factory, log))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id).finish_non_exhaustive()
    }
}
