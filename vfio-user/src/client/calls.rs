//! The requests of a connection that wait for their answers.

use std::collections::HashMap;
use std::io;

use tracing::debug;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::limits::ClientLimits;
use super::window::Window;
use crate::error::{Error, ReplyError, Result};
use crate::fds::PeerFds;
use crate::protocol::Command;
use crate::transport::{FramingError, Incoming};

/// The requests that were sent, by their ids, and how much data those that are awaited later move.
#[derive(Debug)]
pub(super) struct Calls {
    last_id: u16,
    by_id: HashMap<u16, Call>,
    /// The maximum descriptors in an answer.
    max_fds: usize,
    pub(super) window: Window,
    pub(super) end: Option<End>,
}

/// The state of a request that was sent, by its id.
#[derive(Debug)]
enum Call {
    Open(Command),
    Answered(Result<Answer>),
    /// No thread waits any more; the id stays taken until the answer arrives.
    GivenUp,
}

/// The reason why no more requests can be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Closed,
    Broken(FramingError),
}

/// An answer of the server.
#[derive(Debug)]
pub(super) struct Answer {
    command: Command,
    pub(super) payload: Vec<u8>,
    pub(super) fds: PeerFds,
}

impl Answer {
    /// Returns the fixed part of the payload.
    pub(super) fn fixed<T>(&self) -> Result<&T>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        self.split().map(|(fixed, _)| fixed)
    }

    /// Returns the fixed part of the payload, and what follows it.
    pub(super) fn split<T>(&self) -> Result<(&T, &[u8])>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        T::ref_from_prefix(&self.payload).map_err(|_| {
            let (got, least) = (self.payload.len(), size_of::<T>());
            self.malformed(ReplyError::TooShort { got, least })
        })
    }

    /// Returns the error that this answer is malformed.
    pub(super) fn malformed(&self, problem: impl Into<ReplyError>) -> Error {
        Error::Malformed { command: self.command, problem: problem.into() }
    }
}

impl Calls {
    pub(super) fn new(limits: &ClientLimits) -> Self {
        Calls {
            last_id: 0,
            by_id: HashMap::new(),
            max_fds: limits.descriptors,
            window: Window::new(limits.pending),
            end: None,
        }
    }

    /// Returns an id that no pending request has.
    pub(super) fn next_id(&mut self, command: Command) -> Result<u16> {
        if let Some(end) = self.end {
            return Err(end.into());
        }
        for _ in 0..=u16::MAX {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.by_id.contains_key(&self.last_id) {
                return Ok(self.last_id);
            }
        }
        // All ids belong to requests that were given up.
        Err(Error::Timeout(command))
    }

    /// Returns the id of a new request.
    pub(super) fn open(&mut self, command: Command) -> Result<u16> {
        let id = self.next_id(command)?;
        self.by_id.insert(id, Call::Open(command));
        Ok(id)
    }

    /// Forgets a request that has no answer.
    pub(super) fn forget(&mut self, id: u16) {
        self.by_id.remove(&id);
    }

    /// Drops the answer of a request, now or when it arrives.
    pub(super) fn give_up(&mut self, id: u16) {
        if let Some(Call::Answered(_)) = self.by_id.insert(id, Call::GivenUp) {
            self.by_id.remove(&id);
        }
    }

    /// Takes the answer of a request, if it has arrived.
    pub(super) fn take_answer(&mut self, id: u16) -> Option<Result<Answer>> {
        if !matches!(self.by_id.get(&id), Some(Call::Answered(_))) {
            return None;
        }
        match self.by_id.remove(&id) {
            Some(Call::Answered(answer)) => Some(answer),
            _ => None,
        }
    }

    /// Passes an answer to the thread that waits for it, or drops it if none does.
    pub(super) fn answer(&mut self, incoming: Incoming<'_>) {
        let id = incoming.header().message_id.get();
        self.window.close(id);
        match self.by_id.get_mut(&id) {
            Some(call @ Call::Open(_)) => {
                let Call::Open(command) = *call else { return };
                *call = Call::Answered(examine(incoming, command, self.max_fds));
            }
            Some(Call::GivenUp) => drop(self.by_id.remove(&id)),
            Some(Call::Answered(_)) | None => debug!(id, "an answer without a request is dropped"),
        }
    }
}

/// Checks an answer to `command` and converts it.
fn examine(incoming: Incoming<'_>, command: Command, max_fds: usize) -> Result<Answer> {
    let header = incoming.header();
    if header.command.get() != u16::from(command) {
        let problem = ReplyError::Command(header.command.get());
        return Err(Error::Malformed { command, problem });
    }
    if let Some(errno) = header.errno() {
        return Err(Error::Refused { command, errno });
    }
    match incoming {
        Incoming::Message(message) if message.fds_are_lost => {
            Err(Error::Io(nix::errno::Errno::EMFILE.into()))
        }
        Incoming::Message(message) if message.fds.len() > max_fds => {
            let problem = ReplyError::Descriptors { got: message.fds.len(), most: max_fds };
            Err(Error::Malformed { command, problem })
        }
        Incoming::Message(message) => {
            Ok(Answer { command, payload: message.payload.to_vec(), fds: message.fds })
        }
        Incoming::TooLarge(_) => {
            let problem = ReplyError::TooLarge(header.total_size());
            Err(Error::Malformed { command, problem })
        }
    }
}

impl From<FramingError> for End {
    fn from(error: FramingError) -> Self {
        End::Broken(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        debug!(%error, "the connection ends");
        End::Closed
    }
}

impl From<End> for Error {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Error::Disconnected,
            End::Broken(error) => Error::Framing(error),
        }
    }
}
