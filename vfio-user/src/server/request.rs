//! One request: what it asks for, and what it is told.

use tracing::debug;

use super::agreed::Agreed;
use super::error::SessionError;
use super::guard::guarded;
use super::handlers::{self, Request};
use super::suspended::Suspended;
use super::watchdog::note_request;
use crate::function::Function;
use crate::protocol::{Capabilities, Command, Errno, Header, MessageType, MigrationCapability};
use crate::transport::{Incoming, Message, Reply};

/// Why a request was not done.
enum Refusal {
    /// It is answered with an error, and the next one may do better.
    Request(Errno),
    /// It is answered with an error, and the client is dropped.
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

/// Negotiates a version by a connection's first message, and finishes its reply. The device is told of
/// a client only if a version is agreed on.
///
/// # Errors
///
/// Why the connection is to be dropped.
pub(super) fn greet(
    function: &mut dyn Function,
    ours: &Capabilities,
    first: Incoming<'_>,
    mut reply: Reply<'_>,
) -> Result<Agreed, SessionError> {
    if first.header().message_type() != Some(MessageType::Command) {
        reply.withdraw();
        return Err(SessionError::NotNegotiated);
    }
    match negotiate(function, ours, first, &mut reply) {
        Ok(agreed) => {
            reply.finish(Ok(()));
            Ok(agreed)
        }
        Err((errno, error)) => {
            debug!(%errno, "no version is agreed on");
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
) -> Result<Agreed, (Errno, SessionError)> {
    let refused = (Errno::EINVAL, SessionError::NotNegotiated);
    let Incoming::Message(Message { header, payload, fds, .. }) = first else {
        return Err(refused);
    };
    if header.command() != Ok(Command::Version) {
        return Err(refused);
    }
    let agreed = handlers::version(payload, &fds, &offered(ours, function), reply)
        .map_err(|errno| (errno, SessionError::Version))?;
    function.dma().transfers().attach(&agreed.client);
    guarded(|| function.connected()).map_err(|panicked| (Errno::EIO, panicked))?;
    Ok(agreed)
}

/// Does what a request asks for and finishes its reply, unless it has to wait.
///
/// # Errors
///
/// Why the client is to be dropped.
pub(super) fn respond(
    function: &mut dyn Function,
    client: &Capabilities,
    request: Incoming<'_>,
    mut reply: Reply<'_>,
) -> Result<Option<Suspended>, SessionError> {
    let header = request.header();
    let answer = match request {
        Incoming::TooLarge(_) => Err(Refusal::Request(Errno::E2BIG)),
        Incoming::Message(message) => answer(function, client, message, &mut reply),
    };
    conclude(&header, answer, reply)
}

/// Goes on with a request that has waited, and finishes its reply, unless it has to wait again.
///
/// # Errors
///
/// Why the client is to be dropped.
pub(super) fn go_on(
    function: &mut dyn Function,
    suspended: Suspended,
    mut reply: Reply<'_>,
) -> Result<Option<Suspended>, SessionError> {
    let header = suspended.header();
    let answer = guarded(|| suspended.go_on(function, &mut reply));
    conclude(&header, answer.map_err(Refusal::from).and_then(|done| Ok(done?)), reply)
}

/// Finishes a reply, if there is one already.
fn conclude(
    header: &Header,
    answer: Result<Option<Suspended>, Refusal>,
    reply: Reply<'_>,
) -> Result<Option<Suspended>, SessionError> {
    let answer = match answer {
        Ok(Some(suspended)) => {
            reply.withdraw();
            return Ok(Some(suspended));
        }
        answer => answer.map(drop),
    };
    let (result, outcome) = split(header, answer);
    reply.finish(result);
    outcome.map(|()| None)
}

/// What the server offers for this device.
fn offered(ours: &Capabilities, function: &dyn Function) -> Capabilities {
    let migration = function.migration_state().map(|_| MigrationCapability::default());
    Capabilities { migration: ours.migration.or(migration), ..ours.clone() }
}

/// Does what a request asks for and fills in the reply.
fn answer(
    function: &mut dyn Function,
    client: &Capabilities,
    message: Message<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Suspended>, Refusal> {
    let Message { header, payload, fds, fds_are_lost } = message;
    if fds_are_lost {
        // The client may have another try, once there is room.
        return Err(Errno::EMFILE.into());
    }
    let command = header.command().map_err(|_| Errno::EINVAL)?;
    note_request(&header, payload);
    let mut request = Request { payload, fds, client, wait: None };
    let handler = handlers::find(command).ok_or(Errno::EINVAL)?;
    guarded(|| handler(function, &mut request, reply))??;
    Ok(request.wait.take().map(|wait| Suspended::new(header, wait)))
}

/// What the client is told, and what becomes of the session.
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
