//! Requests that are pending until the device has released memory or admits them, or until their
//! next turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use super::event_log::EventLog;
use crate::dma::PendingUnmap;
use crate::eventfd::EventFd;
use crate::function::Function;
use crate::protocol::{Errno, Header};
use crate::transport::Reply;

/// The time after which the wait is logged as a warning, because the guest is blocked meanwhile.
const SLOW: Duration = Duration::from_secs(1);

/// Continues a request; the argument says whether the device has released the memory. It may have
/// to wait again.
pub(super) type Continuation = Box<
    dyn FnOnce(&mut dyn Function, &mut Option<Blocked>, &mut Reply<'_>, bool) -> Result<(), Errno>
        + Send,
>;

/// The rest of a request that cannot continue yet.
pub(super) struct Blocked {
    waits_for: Event,
    continuation: Continuation,
}

/// The event that a request waits for.
enum Event {
    /// Its next turn: it only yields to other sessions and events.
    Turn,
    /// The release of memory.
    Memory(PendingUnmap, Arc<EventFd>),
    /// The function, which is asked again at every turn.
    Admission,
}

impl Blocked {
    /// Continues once the device has released memory, or has exceeded its time.
    pub(super) fn for_memory(
        unmap: PendingUnmap,
        release_event: Arc<EventFd>,
        continuation: Continuation,
    ) -> Self {
        Blocked { waits_for: Event::Memory(unmap, release_event), continuation }
    }

    /// Continues at the next turn.
    pub(super) fn for_turn(continuation: Continuation) -> Self {
        Blocked { waits_for: Event::Turn, continuation }
    }

    /// Continues when the function has work, to ask it again.
    pub(super) fn for_admission(continuation: Continuation) -> Self {
        Blocked { waits_for: Event::Admission, continuation }
    }

    fn memory(&self) -> Option<(&PendingUnmap, &Arc<EventFd>)> {
        match &self.waits_for {
            Event::Memory(unmap, release_event) => Some((unmap, release_event)),
            Event::Turn | Event::Admission => None,
        }
    }
}

/// A pending request, which all later ones of its client wait for.
pub(super) struct PendingRequest {
    header: Header,
    blocked: Blocked,
    since: Instant,
    /// The time that the device has to release memory.
    release: Duration,
}

impl PendingRequest {
    pub(super) fn new(header: Header, blocked: Blocked, release: Duration) -> Self {
        if blocked.memory().is_some() {
            debug!(
                command = header.command.get(),
                "the request waits until the device releases memory"
            );
        }
        PendingRequest { header, blocked, since: Instant::now(), release }
    }

    /// Returns an eventfd that becomes readable once the device has released the memory, if the
    /// request waits for that.
    pub(super) fn release_event(&self) -> Option<&Arc<EventFd>> {
        self.blocked.memory().map(|(_, release_event)| release_event)
    }

    /// Returns when the time of the device ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.blocked.memory().map(|_| self.since + self.release)
    }

    /// Returns whether the request can continue.
    pub(super) fn is_due(&self) -> bool {
        let late = self.deadline().is_none_or(|deadline| deadline <= Instant::now());
        late || self.is_released()
    }

    /// Returns whether it waits only for its next turn.
    pub(super) fn wants_turn(&self) -> bool {
        matches!(self.blocked.waits_for, Event::Turn)
    }

    /// Returns whether it waits for the function.
    pub(super) fn wants_admission(&self) -> bool {
        matches!(self.blocked.waits_for, Event::Admission)
    }

    /// Logs a long wait.
    pub(super) fn log(&self, log: &EventLog) {
        let (waited, command) = (self.since.elapsed(), self.header.command.get());
        if !self.is_released() {
            log.kept(command, waited);
        } else if self.blocked.memory().is_some() && waited >= SLOW {
            log.slow(command, waited);
        }
    }

    fn is_released(&self) -> bool {
        self.blocked.memory().is_none_or(|(unmap, _)| unmap.is_released())
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Continues the request. Returns `None` unless it has to wait again.
    pub(super) fn resume(
        self,
        function: &mut dyn Function,
        reply: &mut Reply<'_>,
    ) -> Result<Option<PendingRequest>, Errno> {
        let is_released = self.is_released();
        let mut blocked = None;
        (self.blocked.continuation)(function, &mut blocked, reply, is_released)?;
        Ok(blocked.map(|blocked| PendingRequest { blocked, ..self }))
    }
}
