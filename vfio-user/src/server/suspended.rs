//! Requests that wait until the device has let go of memory.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::device::Function;
use crate::dma::Departure;
use crate::eventfd::EventFd;
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
    departure: Departure,
    bell: Arc<EventFd>,
    finish: Finish,
}

impl Wait {
    pub(super) fn new(departure: Departure, bell: Arc<EventFd>, finish: Finish) -> Self {
        Wait { departure, bell, finish }
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
        debug!(command = header.command.get(), "the device has to let go of memory first");
        Suspended { header, wait, since: Instant::now() }
    }

    /// Readable once the device has let go.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.wait.bell.as_fd()
    }

    /// When it is too late.
    pub(super) fn deadline(&self) -> Instant {
        self.since + PATIENCE
    }

    /// Whether it has waited long enough.
    pub(super) fn is_due(&self) -> bool {
        self.wait.departure.is_over() || self.deadline() <= Instant::now()
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
        let (gone, waited) = (self.wait.departure.is_over(), self.since.elapsed());
        let command = self.header.command.get();
        if !gone {
            warn!(command, ?waited, "the device does not let go of memory; the request fails");
        } else if waited >= SLOW {
            warn!(command, ?waited, "the device was slow to let go of memory");
        }
        let mut wait = None;
        (self.wait.finish)(function, &mut wait, reply, gone)?;
        Ok(wait.map(|wait| Suspended { wait, ..self }))
    }
}
