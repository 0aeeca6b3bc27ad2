//! Requests and their answers over one socket, for any number of threads.
//!
//! A thread that waits for an answer reads the socket itself if no other thread does. It reads for
//! all of them: it passes each answer to the thread that sent the request, and serves the requests
//! of the server. Once it has its own answer, the next thread takes over. So a call costs one send
//! and one receive, and needs no extra thread.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use tracing::debug;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::answer;
use super::memory::MemoryMaps;
use super::message_socket::MessageSocket;
use super::window::Window;
use crate::error::{Error, ReplyError, Result};
use crate::fds::PeerFds;
use crate::protocol::{Command, Header, MAX_MESSAGE_SIZE, MessageType};
use crate::transport::{FramingError, Incoming, Receiver};
use crate::wait::{FOR_EVER, wait_for};

/// The socket that requests go over.
#[derive(Debug)]
pub(super) struct Connection {
    link: MessageSocket,
    timeout: Duration,
    memory: Arc<MemoryMaps>,
    state: Mutex<ConnectionState>,
    change: Condvar,
}

#[derive(Debug)]
struct ConnectionState {
    /// `None` while a thread reads.
    receiver: Option<Receiver>,
    /// The number of threads that wait for the reading thread.
    waiting: usize,
    last_id: u16,
    calls: HashMap<u16, Call>,
    window: Window,
    end: Option<End>,
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
enum End {
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

impl Connection {
    pub(super) fn new(link: MessageSocket, timeout: Duration, memory: Arc<MemoryMaps>) -> Self {
        let state = ConnectionState {
            receiver: Some(Receiver::new(MAX_MESSAGE_SIZE, link.close_queue())),
            waiting: 0,
            last_id: 0,
            calls: HashMap::new(),
            window: Window::default(),
            end: None,
        };
        let timeout = timeout.min(FOR_EVER);
        Connection { link, timeout, memory, state: Mutex::new(state), change: Condvar::new() }
    }

    /// Returns the time to wait for each answer.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a request whose payload consists of `parts`, and waits for the answer.
    pub(super) fn request(
        &self,
        command: Command,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Answer> {
        let deadline = Instant::now() + self.timeout;
        let id = self.state().open(command)?;
        if let Err(error) = self.send(id, command, parts, fds, false) {
            self.state().calls.remove(&id);
            return Err(error);
        }
        self.wait(id, command, deadline)
    }

    /// Sends a request that moves `bytes` bytes of data, once the window has room for it. Its
    /// answer is awaited later.
    pub(super) fn start(
        &self,
        command: Command,
        parts: &[&[u8]],
        bytes: usize,
    ) -> Result<SentCall<'_>> {
        let mut state = self.wait_for_room(command, bytes)?;
        let id = state.open(command)?;
        state.window.open(id, bytes);
        drop(state);
        // If it cannot be sent, the connection ends, and no answer arrives.
        let call = SentCall { connection: self, id, command };
        self.send(id, command, parts, &[], false)?;
        Ok(call)
    }

    fn wait_for_room(
        &self,
        command: Command,
        bytes: usize,
    ) -> Result<MutexGuard<'_, ConnectionState>> {
        let deadline = Instant::now() + self.timeout;
        let mut state = self.state();
        while !state.window.has_room(bytes) && state.end.is_none() {
            state = self.receive_until(state, deadline).ok_or(Error::Timeout(command))?;
        }
        Ok(state)
    }

    /// Sends a request without an answer.
    pub(super) fn post(&self, command: Command, parts: &[&[u8]]) -> Result<()> {
        let id = self.state().next_id(command)?;
        self.send(id, command, parts, &[], true)
    }

    /// Serves requests of the server until the connection ends, also while no call waits.
    pub(super) fn serve(&self) {
        let mut state = self.state();
        while state.end.is_none() {
            state = match state.receiver.take() {
                Some(receiver) => self.read(state, receiver, self.timeout),
                None => self.follow(state, self.timeout),
            };
        }
    }

    /// Ends the connection, and every call on it.
    pub(super) fn shut_down(&self) {
        self.state().end.get_or_insert(End::Closed);
        self.link.shut_down();
    }

    fn send(
        &self,
        id: u16,
        command: Command,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
        no_reply: bool,
    ) -> Result<()> {
        let payload = parts.iter().map(|part| part.len()).sum();
        let header = Header::request(id, command, payload, no_reply);
        self.link.send(&header, parts, fds).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(command),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Error::Disconnected,
            _ => Error::Io(error),
        })
    }

    fn wait(&self, id: u16, command: Command, deadline: Instant) -> Result<Answer> {
        let mut state = self.state();
        loop {
            if let Some(answer) = state.take_answer(id) {
                return answer;
            }
            if let Some(end) = state.end {
                state.calls.remove(&id);
                return Err(end.into());
            }
            let Some(received) = self.receive_until(state, deadline) else {
                self.state().give_up(id);
                return Err(Error::Timeout(command));
            };
            state = received;
        }
    }

    /// Receives once, or waits until another thread has. Returns `None` after the deadline.
    fn receive_until<'a>(
        &'a self,
        mut state: MutexGuard<'a, ConnectionState>,
        deadline: Instant,
    ) -> Option<MutexGuard<'a, ConnectionState>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        Some(match state.receiver.take() {
            Some(receiver) => self.read(state, receiver, left),
            None => self.follow(state, left),
        })
    }

    /// Waits for the thread that reads.
    fn follow<'a>(
        &'a self,
        mut state: MutexGuard<'a, ConnectionState>,
        left: Duration,
    ) -> MutexGuard<'a, ConnectionState> {
        state.waiting += 1;
        let woken = self.change.wait_timeout(state, left);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Receives once, and distributes what arrived.
    fn read<'a>(
        &'a self,
        state: MutexGuard<'a, ConnectionState>,
        receiver: Receiver,
        left: Duration,
    ) -> MutexGuard<'a, ConnectionState> {
        drop(state);
        let mut turn = ReaderTurn { connection: self, receiver: Some(receiver) };
        let end = turn.receive(left).err();
        drop(turn);
        let mut state = self.state();
        state.end = state.end.or(end);
        if state.waiting > 0 {
            self.change.notify_all();
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that was sent, and whose answer is awaited later. Dropping it gives the answer up.
#[derive(Debug)]
pub(super) struct SentCall<'a> {
    connection: &'a Connection,
    id: u16,
    command: Command,
}

impl SentCall<'_> {
    /// Waits for the answer, for the timeout of the connection.
    pub(super) fn wait(self) -> Result<Answer> {
        let SentCall { connection, id, command } = *ManuallyDrop::new(self);
        connection.wait(id, command, Instant::now() + connection.timeout)
    }
}

impl Drop for SentCall<'_> {
    fn drop(&mut self) {
        self.connection.state().give_up(self.id);
    }
}

/// A thread's turn to read. The receiver is returned even if the caller's memory panics.
struct ReaderTurn<'a> {
    connection: &'a Connection,
    receiver: Option<Receiver>,
}

impl ReaderTurn<'_> {
    fn receive(&mut self, left: Duration) -> Result<(), End> {
        let ReaderTurn { connection, receiver: Some(receiver) } = self else { return Ok(()) };
        let Connection { link, timeout, memory, .. } = connection;
        // For a request that was just sent, the socket's own timeout suffices.
        if left < *timeout / 8 * 7 && !is_readable(link.socket(), left) {
            return Ok(());
        }
        match receiver.fill(link.socket(), false) {
            Ok(0) => return Err(End::Closed),
            Ok(_) => {}
            // The caller waits for the rest of its time.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        while let Some(incoming) = receiver.next()? {
            if incoming.header().message_type() == Some(MessageType::Reply) {
                connection.state().answer(incoming);
            } else {
                answer::serve(memory, link, incoming)?;
            }
        }
        Ok(())
    }
}

impl Drop for ReaderTurn<'_> {
    fn drop(&mut self) {
        self.connection.state().receiver = self.receiver.take();
    }
}

impl ConnectionState {
    /// Returns an id that no pending request has.
    fn next_id(&mut self, command: Command) -> Result<u16> {
        if let Some(end) = self.end {
            return Err(end.into());
        }
        for _ in 0..=u16::MAX {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.calls.contains_key(&self.last_id) {
                return Ok(self.last_id);
            }
        }
        // All ids belong to requests that were given up.
        Err(Error::Timeout(command))
    }

    fn open(&mut self, command: Command) -> Result<u16> {
        let id = self.next_id(command)?;
        self.calls.insert(id, Call::Open(command));
        Ok(id)
    }

    /// Drops the answer of a request, now or when it arrives.
    fn give_up(&mut self, id: u16) {
        if let Some(Call::Answered(_)) = self.calls.insert(id, Call::GivenUp) {
            self.calls.remove(&id);
        }
    }

    fn take_answer(&mut self, id: u16) -> Option<Result<Answer>> {
        if !matches!(self.calls.get(&id), Some(Call::Answered(_))) {
            return None;
        }
        match self.calls.remove(&id) {
            Some(Call::Answered(answer)) => Some(answer),
            _ => None,
        }
    }

    /// Passes an answer to the thread that waits for it, or drops it if none does.
    fn answer(&mut self, incoming: Incoming<'_>) {
        let id = incoming.header().message_id.get();
        self.window.close(id);
        match self.calls.get_mut(&id) {
            Some(call @ Call::Open(_)) => {
                let Call::Open(command) = *call else { return };
                *call = Call::Answered(examine(incoming, command));
            }
            Some(Call::GivenUp) => drop(self.calls.remove(&id)),
            Some(Call::Answered(_)) | None => debug!(id, "an answer without a request is dropped"),
        }
    }
}

/// Checks an answer to `command` and converts it.
fn examine(incoming: Incoming<'_>, command: Command) -> Result<Answer> {
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
        Incoming::Message(message) => {
            Ok(Answer { command, payload: message.payload.to_vec(), fds: message.fds })
        }
        Incoming::TooLarge(_) => {
            let problem = ReplyError::TooLarge(header.total_size());
            Err(Error::Malformed { command, problem })
        }
    }
}

fn is_readable(socket: BorrowedFd<'_>, within: Duration) -> bool {
    wait_for(&mut [PollFd::new(socket, PollFlags::POLLIN)], within).unwrap_or(false)
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
