//! One device, where its clients come from, and the one that is there.

use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tracing::{debug, error, info, warn};

use super::asking::hang_up;
use super::budget::Budget;
use super::hub::DeviceId;
use super::poller::{Kind, Poller};
use super::request::guarded;
use super::session::{Buffers, Session, SessionError, Wants};
use super::shutdown::Shutdown;
use super::socket::{Accepted, Socket};
use super::watching::Watching;
use crate::device::Function;
use crate::error::{Error, Result};
use crate::protocol::Capabilities;
use crate::seldom::Seldom;

/// Makes a device anew.
pub(super) type Factory = Box<dyn FnMut() -> Result<Box<dyn Function>> + Send>;

/// How long a client waits for descriptors that others may let go of.
const EXHAUSTED: Duration = Duration::from_millis(500);

/// One device, where its clients come from, and the one that is there.
pub(super) struct Port {
    id: DeviceId,
    socket: Socket,
    function: Box<dyn Function>,
    /// `None` if whoever runs the thread has it.
    factory: Option<Factory>,
    session: Option<Session>,
    /// What the session waits for.
    wants: Wants,
    ready: Ready,
    watching: Watching,
    /// When the function has work.
    deadline: Option<Instant>,
    /// No client is accepted before.
    not_before: Option<Instant>,
    /// Clients that were dropped.
    dropped: Seldom,
    /// Nothing is expected of the device any more.
    has_panicked: bool,
}

/// What has happened since the last turn.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    socket: bool,
    wake: bool,
}

/// What a port's turn happens in.
pub(super) struct Turn<'a> {
    pub(super) poller: &'a Poller,
    pub(super) shutdown: &'a Shutdown,
    pub(super) buffers: &'a mut Buffers,
    /// Whether the thread has no other port.
    pub(super) alone: bool,
    /// Whether nobody has waited: then the client's next bytes may be waited for.
    pub(super) wait: bool,
}

/// What comes after a port's turn.
pub(super) enum After {
    /// Whatever happens next.
    Nothing,
    /// Another turn: there is more to do.
    Turn,
    /// A new device.
    Panicked,
    /// The port goes.
    End(Result<()>),
}

impl Port {
    pub(super) fn new(
        id: DeviceId,
        socket: Socket,
        function: Box<dyn Function>,
        factory: Option<Factory>,
    ) -> Self {
        function.interrupts().follow(function.dma().transfers().order());
        Port {
            id,
            socket,
            function,
            factory,
            session: None,
            wants: Wants::End,
            ready: Ready::default(),
            watching: Watching::default(),
            deadline: None,
            not_before: None,
            dropped: Seldom::default(),
            has_panicked: false,
        }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.id
    }

    /// Notes that one of its descriptors is ready.
    pub(super) fn note(&mut self, kind: Kind) {
        match kind {
            Kind::Listener | Kind::Client | Kind::Bell => self.ready.socket = true,
            Kind::Twin => {
                self.session.iter_mut().for_each(Session::note_answers);
                self.ready.socket = true;
            }
            Kind::Transfers => {
                self.function.dma().transfers().calm();
                self.ready.socket = true;
            }
            Kind::Wake => self.ready.wake = true,
            Kind::Control(place) => self.watching.poll_control(place, self.function.interrupts()),
        }
    }

    /// Whether the client's socket is all that can wake it.
    pub(super) fn waits_for_its_client_alone(&self) -> bool {
        self.wants == Wants::Read && self.watching.is_client_alone() && self.deadline().is_none()
    }

    /// When it has to have a turn, whatever happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.due();
        self.not_before.into_iter().chain(self.deadline).chain(due).min()
    }

    /// Notes that its deadline has passed.
    pub(super) fn note_deadline(&mut self) {
        self.ready.wake = true;
        self.ready.socket |= self.due().is_some();
    }

    /// When its session has to have a turn.
    fn due(&self) -> Option<Instant> {
        self.session.as_ref().and_then(|session| session.due(&*self.function))
    }

    /// Until when it may go on if the server is to end.
    pub(super) fn patience(&self) -> Option<Instant> {
        self.session.as_ref().and_then(Session::deadline)
    }

    /// Does what is to be done now.
    pub(super) fn turn(&mut self, turn: &mut Turn<'_>, index: usize) -> After {
        let after = catch_unwind(AssertUnwindSafe(|| {
            let after = self.take_turn(turn);
            let goes_on = matches!(after, After::Nothing | After::Turn);
            match goes_on.then(|| self.watch(turn.poller, index)) {
                Some(Err(error)) => self.give_up(turn.poller, error),
                _ => after,
            }
        }));
        after.unwrap_or_else(|_| self.detach(turn.poller, Err(SessionError::Panicked)))
    }

    /// The system lets it wait for nothing more.
    fn give_up(&mut self, poller: &Poller, error: io::Error) -> After {
        match self.session {
            Some(_) => self.detach(poller, Err(error.into())),
            None => After::End(Err(error.into())),
        }
    }

    fn take_turn(&mut self, turn: &mut Turn<'_>) -> After {
        let ready = mem::take(&mut self.ready);
        let busy = self.function.has_work();
        if busy || ready.wake {
            // A panic ends the session before the client can send anything to it.
            if let Err(panicked) = guarded(|| self.function.work()) {
                return self.detach(turn.poller, Err(panicked));
            }
        }
        let after = match self.session {
            Some(_) => {
                let asks = !self.function.dma().transfers().is_idle();
                self.attend(turn, ready.socket || turn.wait || asks, turn.wait && !busy)
            }
            None => self.accept(turn),
        };
        match after {
            After::Nothing if self.function.has_work() => After::Turn,
            after => after,
        }
    }

    /// Looks for a client.
    fn accept(&mut self, turn: &mut Turn<'_>) -> After {
        if turn.shutdown.is_requested() && self.socket.listener().is_some() {
            return After::End(Ok(()));
        }
        if self.not_before.is_some_and(|time| time > Instant::now()) {
            return After::Nothing;
        }
        self.not_before = None;
        match self.socket.accept() {
            Ok(Accepted::Client(stream)) => {
                match Session::new(stream, turn.shutdown, self.capabilities()) {
                    Ok(session) => {
                        info!(device = %self.id, "client connected");
                        self.session = Some(session);
                        self.wants = Wants::Read;
                    }
                    Err(error) => self.tell_dropped(&error.into()),
                }
            }
            Ok(Accepted::Nobody) => {}
            Ok(Accepted::Exhausted) => {
                warn!("a client has to wait: this process may open no more descriptors");
                self.not_before = Some(Instant::now() + EXHAUSTED);
            }
            Ok(Accepted::Over) => return After::End(Ok(())),
            Err(error) => return After::End(Err(error)),
        }
        After::Nothing
    }

    /// What clients are told that the server can do.
    fn capabilities(&self) -> Capabilities {
        let write_multiple = self.socket.takes_write_multiple();
        Capabilities { write_multiple, ..Capabilities::ours() }
    }

    /// Serves the client that is there.
    fn attend(&mut self, turn: &mut Turn<'_>, ready: bool, wait: bool) -> After {
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
        match session.turn(&mut *self.function, turn.buffers, &mut budget, wait) {
            Ok(Wants::End) => self.detach(turn.poller, Ok(())),
            Ok(wants) => {
                self.wants = wants;
                if wants == Wants::Turn { After::Turn } else { After::Nothing }
            }
            Err(error) => self.detach(turn.poller, Err(error)),
        }
    }

    /// A client may come and be dropped again and again.
    fn tell_dropped(&self, error: &SessionError) {
        if let Some(count) = self.dropped.tell() {
            warn!(device = %self.id, %error, count, "client dropped");
        }
    }

    /// Cleans up after the client.
    fn detach(&mut self, poller: &Poller, ended: Result<(), SessionError>) -> After {
        let panicked = matches!(ended, Err(SessionError::Panicked));
        if let Some(session) = self.session.take() {
            match ended {
                Ok(()) => info!(device = %self.id, "client left"),
                Err(error) => self.tell_dropped(&error),
            }
            self.watching.leave_client(poller, session.socket());
            self.wants = Wants::End;
            let hung_up = hang_up(&mut *self.function);
            let cleaned = guarded(|| self.clean_up(panicked)).and(hung_up);
            self.has_panicked = panicked || cleaned.is_err();
            if self.socket.is_for_one_client() {
                return After::End(Ok(()));
            }
            if cleaned.is_err() {
                return After::Panicked;
            }
        }
        if panicked { After::Panicked } else { After::Turn }
    }

    fn clean_up(&mut self, panicked: bool) {
        self.function.interrupts().disconnect();
        if !panicked && self.function.dma().has(0, u64::MAX).unwrap_or(true) {
            self.function.dma_unmapped(0..=u64::MAX);
        }
        if !self.function.dma().disconnect().is_over() {
            warn!(device = %self.id, "the device still holds memory of the client");
        }
        if !panicked {
            self.function.disconnected();
        }
    }

    /// Lets the poller wait for what can happen next.
    fn watch(&mut self, poller: &Poller, index: usize) -> io::Result<()> {
        self.deadline = self.function.deadline();
        let socket = self.session.as_ref().map(Session::socket);
        self.watching.client(poller, index, socket, self.wants)?;
        let bell = self.session.as_ref().and_then(Session::bell);
        self.watching.bell(poller, index, bell)?;
        let listener = self.socket.listener();
        let listen = self.session.is_none() && self.not_before.is_none();
        self.watching.listener(poller, index, listener, listen)?;
        self.watching.wake(poller, index, self.function.wake())?;
        let dma = self.function.dma();
        let others_ask = self.session.is_some() && dma.is_lent();
        let transfers = if others_ask { dma.transfers().wake() } else { None };
        self.watching.transfers(poller, index, transfers)?;
        let is_asked = dma.is_lent() || !dma.transfers().is_idle();
        let twin = self.session.as_ref().filter(|_| is_asked).and_then(Session::twin);
        self.watching.twin(poller, index, twin)?;
        self.watching.controls(poller, index, self.function.interrupts())
    }

    /// Takes it off the poller, client and all.
    pub(super) fn leave(&mut self, poller: &Poller) {
        if self.session.is_some() {
            debug!(device = %self.id, "its client has to go");
            self.detach(poller, Ok(()));
        }
        self.watching.leave(poller, self.socket.listener());
    }

    /// Tells the device that it is served no longer; not one that has panicked.
    ///
    /// # Errors
    ///
    /// What the device says.
    pub(super) fn retire(&mut self) -> Result<()> {
        if self.has_panicked {
            return Ok(());
        }
        let mut retired = Ok(());
        if guarded(|| retired = self.function.retire()).is_err() {
            retired = Err(Error::device("the device panicked at its end"));
        }
        retired
    }

    /// The same port with a new device.
    ///
    /// # Errors
    ///
    /// What keeps the device from being served.
    pub(super) fn rebuild(
        self,
        own: &mut dyn FnMut() -> Result<Box<dyn Function>>,
    ) -> Result<Self> {
        error!(device = %self.id, "a hook panicked; the device is made anew");
        let Port { id, socket, function, mut factory, .. } = self;
        // The old one first: it may hold what the new one needs.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(function)));
        let function = match &mut factory {
            Some(factory) => factory()?,
            None => own()?,
        };
        Ok(Port::new(id, socket, function, factory))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("id", &self.id).finish_non_exhaustive()
    }
}
