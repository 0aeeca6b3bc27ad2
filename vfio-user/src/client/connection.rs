//! Requests and their answers over one socket, for any number of threads.
//!
//! A thread that waits for an answer reads the socket itself if no other thread does. It reads for
//! all of them: it passes each answer to the thread that sent the request, and serves the requests
//! of the server. Once it has its own answer, the next thread takes over. So a call costs one send
//! and one receive, and needs no extra thread.

use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::answer;
use super::calls::{Answer, Calls, End};
use super::limits::ClientLimits;
use super::memory::MemoryMaps;
use super::message_socket::MessageSocket;
use crate::error::{Error, Result};
use crate::protocol::{Command, Header, MessageType, reply_size};
use crate::transport::Receiver;
use crate::wait::{FOR_EVER, wait_for};

/// The socket that requests go over.
#[derive(Debug)]
pub(super) struct Connection {
    link: MessageSocket,
    timeout: Duration,
    /// The maximum data of a request of the server.
    message_data: usize,
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
    calls: Calls,
}

impl Connection {
    pub(super) fn new(
        link: MessageSocket,
        timeout: Duration,
        limits: &ClientLimits,
        memory: Arc<MemoryMaps>,
    ) -> Self {
        let message_data = limits.message_data;
        let state = ConnectionState {
            receiver: Some(Receiver::new(reply_size(message_data), link.close_queue())),
            waiting: 0,
            calls: Calls::new(limits),
        };
        let (state, change) = (Mutex::new(state), Condvar::new());
        Connection { link, timeout: timeout.min(FOR_EVER), message_data, memory, state, change }
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
        self.request_until(Instant::now() + self.timeout, command, parts, fds)
    }

    /// As [`request`](Self::request), with a deadline that is earlier than that of the timeout.
    pub(super) fn request_until(
        &self,
        deadline: Instant,
        command: Command,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Answer> {
        let id = self.state().calls.open(command)?;
        if let Err(error) = self.send(id, command, parts, fds, false) {
            self.state().calls.forget(id);
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
        let id = state.calls.open(command)?;
        state.calls.window.open(id, bytes);
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
        while !state.calls.window.has_room(bytes) && state.calls.end.is_none() {
            state = self.receive_until(state, deadline).ok_or(Error::Timeout(command))?;
        }
        Ok(state)
    }

    /// Sends a request without an answer.
    pub(super) fn post(&self, command: Command, parts: &[&[u8]]) -> Result<()> {
        let id = self.state().calls.next_id(command)?;
        self.send(id, command, parts, &[], true)
    }

    /// Serves requests of the server until the connection ends, also while no call waits.
    pub(super) fn serve(&self) {
        let mut state = self.state();
        while state.calls.end.is_none() {
            state = match state.receiver.take() {
                Some(receiver) => self.read(state, receiver, self.timeout),
                None => self.follow(state, self.timeout),
            };
        }
    }

    /// Ends the connection, and every call on it.
    pub(super) fn shut_down(&self) {
        self.state().calls.end.get_or_insert(End::Closed);
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
            if let Some(answer) = state.calls.take_answer(id) {
                return answer;
            }
            if let Some(end) = state.calls.end {
                state.calls.forget(id);
                return Err(end.into());
            }
            let Some(received) = self.receive_until(state, deadline) else {
                self.state().calls.give_up(id);
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
        state.calls.end = state.calls.end.or(end);
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
        self.connection.state().calls.give_up(self.id);
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
        let Connection { link, timeout, message_data, memory, .. } = connection;
        // For a request that was just sent, the socket's own timeout suffices, which ends at most a
        // 64th later.
        if left < *timeout / 64 * 63 && !is_readable(link.socket(), left) {
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
                connection.state().calls.answer(incoming);
            } else {
                answer::serve(memory, link, *message_data, incoming)?;
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

fn is_readable(socket: BorrowedFd<'_>, within: Duration) -> bool {
    wait_for(&mut [PollFd::new(socket, PollFlags::POLLIN)], within).unwrap_or(false)
}
