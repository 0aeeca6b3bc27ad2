//! Requests that are suspended until the device has released memory, or until their next turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use super::lines::Lines;
use crate::dma::{Departure, RELEASE_TIMEOUT};
use crate::eventfd::EventFd;
use crate::function::Function;
use crate::protocol::{Errno, Header};
use crate::transport::Reply;

/// The time after which the wait is logged as a warning, because the guest is blocked meanwhile.
const SLOW: Duration = Duration::from_secs(1);

/// Continues a request; the argument says whether the device has released the memory. It may have
/// to wait again.
pub(super) type Finish = Box<
    dyn FnOnce(&mut dyn Function, &mut Option<Wait>, &mut Reply<'_>, bool) -> Result<(), Errno>
        + Send,
>;

/// The rest of a request that cannot continue yet.
pub(super) struct Wait {
    /// `None` if it only yields to other sessions and events.
    memory: Option<(Departure, Arc<EventFd>)>,
    finish: Finish,
}

impl Wait {
    /// Continues once the device has released memory, or has exceeded its time.
    pub(super) fn for_memory(departure: Departure, bell: Arc<EventFd>, finish: Finish) -> Self {
        Wait { memory: Some((departure, bell)), finish }
    }

    /// Continues at the next turn.
    pub(super) fn for_turn(finish: Finish) -> Self {
        Wait { memory: None, finish }
    }
}

/// A suspended request, which all later ones of its client wait for.
pub(super) struct Suspended {
    header: Header,
    wait: Wait,
    since: Instant,
}

impl Suspended {
    pub(super) fn new(header: Header, wait: Wait) -> Self {
        if wait.memory.is_some() {
            debug!(
                command = header.command.get(),
                "the request waits until the device releases memory"
            );
        }
        Suspended { header, wait, since: Instant::now() }
    }

    /// Returns an eventfd that becomes readable once the device has released the memory, if the
    /// request waits for that.
    pub(super) fn bell(&self) -> Option<&Arc<EventFd>> {
        self.wait.memory.as_ref().map(|(_, bell)| bell)
    }

    /// Returns when the time of the device ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wait.memory.as_ref().map(|_| self.since + RELEASE_TIMEOUT)
    }

    /// Returns whether the request can continue.
    pub(super) fn is_due(&self) -> bool {
        let late = self.deadline().is_none_or(|deadline| deadline <= Instant::now());
        late || self.has_let_go()
    }

    /// Returns whether it waits only for its next turn.
    pub(super) fn wants_turn(&self) -> bool {
        self.wait.memory.is_none()
    }

    /// Logs a long wait.
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

    /// Continues the request. Returns the wait if it has to wait again.
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
