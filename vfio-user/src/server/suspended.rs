//! Requests that wait: until the device has let go of memory, or for their next turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use super::lines::Lines;
use crate::dma::Departure;
use crate::eventfd::EventFd;
use crate::function::Function;
use crate::protocol::{Errno, Header};
use crate::transport::Reply;

/// How long a device may take to let go; clients wait five seconds for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// What takes longer is worth a warning: the guest stands still meanwhile.
const SLOW: Duration = Duration::from_secs(1);

/// What is done with a request then: whether the device has let go is told. It may have to wait again.
pub(super) type Finish = Box<
    dyn FnOnce(&mut dyn Function, &mut Option<Wait>, &mut Reply<'_>, bool) -> Result<(), Errno>
        + Send,
>;

/// What a handler leaves behind that cannot go on yet.
pub(super) struct Wait {
    /// `None` if only others, and events, have a turn first.
    memory: Option<(Departure, Arc<EventFd>)>,
    finish: Finish,
}

impl Wait {
    /// Goes on once the device has let go of memory, or is late.
    pub(super) fn for_memory(departure: Departure, bell: Arc<EventFd>, finish: Finish) -> Self {
        Wait { memory: Some((departure, bell)), finish }
    }

    /// Goes on at the next turn.
    pub(super) fn for_turn(finish: Finish) -> Self {
        Wait { memory: None, finish }
    }
}

/// A request that waits, and that all later ones of its client wait for.
pub(super) struct Suspended {
    header: Header,
    wait: Wait,
    since: Instant,
}

impl Suspended {
    pub(super) fn new(header: Header, wait: Wait) -> Self {
        if wait.memory.is_some() {
            debug!(command = header.command.get(), "the device has to let go of memory first");
        }
        Suspended { header, wait, since: Instant::now() }
    }

    /// Readable once the device has let go, if it waits for that.
    pub(super) fn bell(&self) -> Option<&Arc<EventFd>> {
        self.wait.memory.as_ref().map(|(_, bell)| bell)
    }

    /// When it is too late for that.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wait.memory.as_ref().map(|_| self.since + PATIENCE)
    }

    /// Whether it has waited long enough.
    pub(super) fn is_due(&self) -> bool {
        let late = self.deadline().is_none_or(|deadline| deadline <= Instant::now());
        late || self.has_let_go()
    }

    /// Whether it waits for its next turn alone.
    pub(super) fn wants_turn(&self) -> bool {
        self.wait.memory.is_none()
    }

    /// Logs that it waited for long, if it did.
    pub(super) fn log(&self, lines: &Lines) {
        let (waited, command) = (self.since.elapsed(), self.header.command.get());
        if !self.has_let_go() {
            lines.kept(command, waited);
        } else if self.wait.memory.is_some() && waited >= SLOW {
            lines.slow(command, waited);
        }
    }

    fn has_let_go(&self) -> bool {
        self.wait.memory.as_ref().is_none_or(|(departure, _)| departure.is_over())
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Goes on with the request. What comes back has to wait again.
    pub(super) fn go_on(
        self,
        function: &mut dyn Function,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Suspended>, Errno> {
        let gone = self.has_let_go();
        let mut wait = None;
        (self.wait.finish)(function, &mut wait, reply, gone)?;
        Ok(wait.map(|wait| Suspended { wait, ..self }))
    }
}
