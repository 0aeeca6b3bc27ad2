//! The execution of one request, and its reply.

use tracing::debug;

use super::error::SessionError;
use super::guard::guarded;
use super::handlers::{self, Handler, Request};
use super::negotiated::Negotiated;
use super::pending_request::{Blocked, PendingRequest};
use super::watchdog::note_request;
use crate::fds::{CloseQueue, PeerFds};
use crate::function::{Admission, Function, InvalidMessage, Step};
use crate::protocol::{Capabilities, Command, Errno, Header, MessageType, MigrationCapability};
use crate::transport::{Incoming, Message, Reply};

/// The reason why a request was not done.
enum Refusal {
    /// The server answers with an error, and continues.
    Request(Errno),
    /// The server answers with an error, and drops the client.
    Session(Errno, SessionError),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Request(errno)
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Refusal::Session(Errno::EIO, error)
    }
}

/// Negotiates a version with a connection's first message, and finishes its reply. The device is
/// notified of a client only after a successful negotiation.
///
/// # Errors
///
/// The reason to drop the connection.
pub(super) fn greet(
    function: &mut dyn Function,
    ours: &Capabilities,
    first: Incoming<'_>,
    mut reply: Reply<'_>,
    close_queue: &CloseQueue,
) -> Result<Negotiated, SessionError> {
    if first.header().message_type() != Some(MessageType::Command) {
        reply.withdraw();
        return Err(SessionError::NotNegotiated);
    }
    match negotiate(function, ours, first, &mut reply, close_queue) {
        Ok(negotiated) => {
            reply.finish(Ok(()));
            Ok(negotiated)
        }
        Err((errno, error)) => {
            debug!(%errno, "the version negotiation failed");
            reply.finish(Err(errno));
            Err(error)
        }
    }
}

fn negotiate(
    function: &mut dyn Function,
    ours: &Capabilities,
    first: Incoming<'_>,
    reply: &mut Reply<'_>,
    close_queue: &CloseQueue,
) -> Result<Negotiated, (Errno, SessionError)> {
    let refused = (Errno::EINVAL, SessionError::NotNegotiated);
    let Incoming::Message(Message { header, payload, fds, .. }) = first else {
        return Err(refused);
    };
    if header.command() != Ok(Command::Version) {
        return Err(refused);
    }
    let step = Step::Request { command: Command::Version, payload };
    let admission = guarded(|| function.admit(step)).map_err(|panicked| (Errno::EIO, panicked))?;
    if let Admission::Refused(errno) = admission {
        return Err((errno, SessionError::Version));
    }
    let negotiated = handlers::version(payload, &fds, &offered(ours, function), reply, close_queue)
        .map_err(|errno| (errno, SessionError::Version))?;
    function.dma().transfers().attach(&negotiated.client);
    guarded(|| function.connected()).map_err(|panicked| (Errno::EIO, panicked))?;
    Ok(negotiated)
}

/// Executes a request and finishes its reply, unless it has to wait.
///
/// # Errors
///
/// The reason to drop the client.
pub(super) fn respond(
    function: &mut dyn Function,
    client: &Capabilities,
    request: Incoming<'_>,
    mut reply: Reply<'_>,
) -> Result<Option<PendingRequest>, SessionError> {
    let header = request.header();
    let answer = match request {
        Incoming::TooLarge(_) => {
            let errno = guarded(|| function.invalid_message(InvalidMessage::TooLarge))?;
            Err(Refusal::Request(errno.unwrap_or(Errno::E2BIG)))
        }
        Incoming::Message(message) => answer(function, client, message, &mut reply),
    };
    conclude(&header, answer, reply)
}

/// Continues a pending request and finishes its reply, unless it has to wait again.
///
/// # Errors
///
/// The reason to drop the client.
pub(super) fn resume(
    function: &mut dyn Function,
    pending: PendingRequest,
    mut reply: Reply<'_>,
) -> Result<Option<PendingRequest>, SessionError> {
    let header = pending.header();
    let answer = guarded(|| pending.resume(function, &mut reply));
    conclude(&header, answer.map_err(Refusal::from).and_then(|done| Ok(done?)), reply)
}

/// Finishes a reply, if there is one already.
fn conclude(
    header: &Header,
    answer: Result<Option<PendingRequest>, Refusal>,
    reply: Reply<'_>,
) -> Result<Option<PendingRequest>, SessionError> {
    let answer = match answer {
        Ok(Some(pending)) => {
            reply.withdraw();
            return Ok(Some(pending));
        }
        answer => answer.map(drop),
    };
    let (result, outcome) = split(header, answer);
    reply.finish(result);
    outcome.map(|()| None)
}

/// Returns the capabilities that the server offers for this device.
fn offered(ours: &Capabilities, function: &dyn Function) -> Capabilities {
    let migration = function.migration_state().map(|_| MigrationCapability::default());
    let mut offered = Capabilities { migration: ours.migration.or(migration), ..ours.clone() };
    function.announce(&mut offered);
    offered
}

/// Executes a request and fills in the reply.
fn answer(
    function: &mut dyn Function,
    client: &Capabilities,
    message: Message<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<PendingRequest>, Refusal> {
    let Message { header, payload, fds, fds_are_lost } = message;
    if fds_are_lost {
        // The client may try again, once there is room.
        return Err(Errno::EMFILE.into());
    }
    let command = header.command().map_err(|_| Errno::EINVAL)?;
    note_request(&header, payload);
    let mut request = Request { payload, fds, client, blocked: None };
    let handler = handlers::find(command).ok_or(Errno::EINVAL)?;
    // One guard for both: it reads the clock.
    guarded(|| match function.admit(Step::Request { command, payload }) {
        Admission::Now => handler(function, &mut request, reply),
        Admission::Later => {
            request.blocked = Some(Delayed::new(command, handler, &mut request).wait());
            Ok(())
        }
        Admission::Refused(errno) => Err(errno),
    })??;
    Ok(request
        .blocked
        .take()
        .map(|blocked| PendingRequest::new(header, blocked, function.dma().limits().release)))
}

/// A request that the function has not admitted yet.
struct Delayed {
    command: Command,
    handler: Handler,
    payload: Vec<u8>,
    fds: PeerFds,
    client: Capabilities,
}

impl Delayed {
    fn new(command: Command, handler: Handler, request: &mut Request<'_>) -> Self {
        let fds = std::mem::take(&mut request.fds);
        let client = request.client.clone();
        Delayed { command, handler, payload: request.payload.to_vec(), fds, client }
    }

    fn wait(self) -> Blocked {
        Blocked::for_admission(Box::new(|function, blocked, reply, _| {
            let step = Step::Request { command: self.command, payload: &self.payload };
            match function.admit(step) {
                Admission::Now => self.proceed(function, blocked, reply),
                Admission::Later => {
                    *blocked = Some(self.wait());
                    Ok(())
                }
                Admission::Refused(errno) => Err(errno),
            }
        }))
    }

    fn proceed(
        self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        let Delayed { handler, payload, fds, client, .. } = self;
        let mut request = Request { payload: &payload, fds, client: &client, blocked: None };
        handler(function, &mut request, reply)?;
        *blocked = request.blocked.take();
        Ok(())
    }
}

/// Splits a result into the reply to the client and the outcome of the session.
fn split(
    header: &Header,
    answer: Result<(), Refusal>,
) -> (Result<(), Errno>, Result<(), SessionError>) {
    let (errno, outcome) = match answer {
        Ok(()) => return (Ok(()), Ok(())),
        Err(Refusal::Request(errno)) => (errno, Ok(())),
        Err(Refusal::Session(errno, error)) => (errno, Err(error)),
    };
    debug!(command = header.command.get(), %errno, "request refused");
    (Err(errno), outcome)
}
