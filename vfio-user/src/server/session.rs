//! A session: one client, from its version to its last byte.

mod hand_over;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use super::arrivals::Arrival;
use super::budget::Budget;
use super::buffers::Buffers;
use super::deferred::DeferredRequests;
use super::error::SessionError;
use super::event_log::EventLog;
use super::guard::guarded;
use super::negotiated::Negotiated;
use super::pending_request::PendingRequest;
use super::request::{greet, respond, resume};
use super::reverse_requests::{on_reply, send_pending};
use super::shutdown::ShutdownGuard;
use super::twin::{Twin, has_left};
use crate::eventfd::EventFd;
use crate::fds::PeerSocket;
use crate::function::{Function, InvalidMessage};
use crate::protocol::{Capabilities, MessageType};
use crate::transport::{Outbox, Receiver};

/// The time that a client has to take its answers when the server is to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// One client's connection.
pub(super) struct Session {
    socket: Arc<PeerSocket>,
    receiver: Receiver,
    outbox: Outbox,
    negotiated: Negotiated,
    /// The request that must be answered before any other one.
    pending: Option<PendingRequest>,
    /// The requests that arrived after it, and before answers of the client.
    deferred: DeferredRequests,
    /// Whether the twin socket has answers.
    has_replies: bool,
    /// The time since which the client has taken none of the pending bytes.
    stuck: Option<Instant>,
    /// Whether a signal has ended the wait for the client's bytes.
    is_interrupted: bool,
    log: Arc<EventLog>,
    /// Absent while another program takes the client over.
    shutdown_guard: Option<ShutdownGuard>,
}

/// The event that a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// The client's next bytes.
    Read,
    /// Its next turn, because more messages are there.
    Turn,
    /// The release of memory by the device.
    Released,
    /// The same, and the client's answers meanwhile.
    Replies,
    /// Room for its answers. The server does not read from a client that does not read.
    Write,
    /// A time: the client must receive descriptors before more are sent.
    Reader,
    /// Nothing, because the client is gone.
    End,
}

impl Session {
    /// Negotiates with a connection whose first message has arrived, which becomes the device's
    /// client.
    ///
    /// # Errors
    ///
    /// The reason why no version was negotiated, and the device has no client; or that the device
    /// panicked.
    pub(super) fn open(
        arrival: Arrival,
        function: &mut dyn Function,
        ours: &Capabilities,
        log: &Arc<EventLog>,
    ) -> Result<Self, SessionError> {
        let Arrival { socket, mut receiver, guard, .. } = arrival;
        let mut outbox = Outbox::default();
        let negotiated = match receiver.next() {
            Ok(Some(first)) => {
                let reply = outbox.reply(first.header());
                greet(function, ours, first, reply, socket.close_queue())
            }
            Ok(None) => Err(SessionError::NotNegotiated),
            Err(error) => Err(error.into()),
        };
        if negotiated.is_err() {
            // The connection ends in any case.
            let _ = outbox.flush(socket.as_fd());
        }
        Ok(Session {
            shutdown_guard: guard,
            socket,
            receiver,
            outbox,
            negotiated: negotiated?,
            pending: None,
            deferred: DeferredRequests::default(),
            has_replies: false,
            log: Arc::clone(log),
            stuck: None,
            is_interrupted: false,
        })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Returns the time by which the client has to take some of its answers, if the server is to
    /// end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stuck.map(|since| since + PATIENCE)
    }

    /// Returns whether a signal has ended the wait of a turn since the last call.
    pub(super) fn take_interruption(&mut self) -> bool {
        std::mem::take(&mut self.is_interrupted)
    }

    /// Returns an eventfd that becomes readable when the device has released the memory that the
    /// client waits for.
    pub(super) fn release_event(&self) -> Option<&Arc<EventFd>> {
        self.pending.as_ref().and_then(PendingRequest::release_event)
    }

    /// Drops a request that waits, and what it keeps.
    pub(super) fn drop_pending(&mut self) {
        self.pending = None;
    }

    /// Returns whether a request waits until the function admits it.
    pub(super) fn wants_admission(&self) -> bool {
        self.pending.as_ref().is_some_and(PendingRequest::wants_admission)
    }

    /// Returns the time by which it needs a turn because a request of either side has timed out.
    pub(super) fn due(&self, function: &dyn Function) -> Option<Instant> {
        let pending = self.pending.as_ref().and_then(PendingRequest::deadline);
        let retry = self.outbox.retry();
        pending.into_iter().chain(retry).chain(function.dma().transfers().deadline()).min()
    }

    /// Handles received messages or, if there are none, receives once and handles that, within the
    /// budget. Waits for the client's bytes only if there is a `wait`: then it receives again and
    /// again, while that returns `true` and the requests change nothing that another part of the
    /// server has to see.
    pub(super) fn turn(
        &mut self,
        function: &mut dyn Function,
        buffers: &mut Buffers,
        budget: &mut Budget,
        wait: Option<&dyn Fn() -> bool>,
    ) -> Result<Wants, SessionError> {
        self.receiver.borrow_buffer(&mut buffers.receive);
        self.outbox.borrow_buffer(&mut buffers.send);
        let wants = self.serve_twin(function).and_then(|()| self.take_turn(function, budget, wait));
        let sent = self.serve_twin(function);
        self.receiver.return_buffer(&mut buffers.receive);
        self.outbox.return_buffer(&mut buffers.send);
        let wants = wants?;
        sent.map(|()| wants)
    }

    fn take_turn(
        &mut self,
        function: &mut dyn Function,
        budget: &mut Budget,
        wait: Option<&dyn Fn() -> bool>,
    ) -> Result<Wants, SessionError> {
        if let Some(wants) = self.finish_earlier(function)? {
            return Ok(wants);
        }
        let mut wants = self.exchange(function, budget, wait.is_some())?;
        while let Some(goes_on) = wait
            && wants == Wants::Read
            && !self.is_interrupted
            && has_no_other_work(function)
            && goes_on()
        {
            wants = self.exchange(function, budget, true)?;
        }
        Ok(wants)
    }

    /// Continues with what earlier turns have left. Returns the event to wait for if that has to be
    /// finished before other messages are handled.
    fn finish_earlier(
        &mut self,
        function: &mut dyn Function,
    ) -> Result<Option<Wants>, SessionError> {
        let resumed = self.resume(function).and_then(|()| self.send_pending(function));
        // Unblocked replies are sent together with those to the messages that are there.
        let is_free = self.stuck.is_none() && self.pending.is_none();
        let may_wait = is_free && self.has_message();
        let flushed = if may_wait { Ok(true) } else { self.flush() };
        resumed?;
        match flushed? {
            false => Ok(Some(self.wants_reader())),
            true if self.pending.is_some() => self.receive_replies(function).map(Some),
            true => Ok(None),
        }
    }

    /// Handles messages, and sends their replies. Receives before if there is none.
    fn exchange(
        &mut self,
        function: &mut dyn Function,
        budget: &mut Budget,
        wait: bool,
    ) -> Result<Wants, SessionError> {
        if !self.has_message() && !self.receive(function, wait)? {
            return Ok(Wants::End);
        }
        // Work that bypassed the socket may have queued requests as well.
        let handled = self.send_pending(function).and_then(|()| self.handle(function, budget));
        // The first of the two failures counts, so that a panic is not hidden.
        let flushed = self.flush();
        handled?;
        Ok(match flushed? {
            false => self.wants_reader(),
            true if self.pending.is_some() => self.receive_replies(function)?,
            true if self.has_message() => Wants::Turn,
            true => Wants::Read,
        })
    }

    /// Receives once. Returns whether the client is still there.
    fn receive(&mut self, function: &mut dyn Function, wait: bool) -> Result<bool, SessionError> {
        let filled = self.receiver.fill(self.socket.as_fd(), !wait);
        // Requests that bypassed the socket were made before.
        guarded(|| function.catch_up())?;
        match filled {
            Ok(received) => return Ok(received > 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.is_interrupted = true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Returns the event to wait for while replies are left to send.
    fn wants_reader(&self) -> Wants {
        if self.outbox.retry().is_some() { Wants::Reader } else { Wants::Write }
    }

    /// Returns whether there is a message to handle.
    fn has_message(&self) -> bool {
        !self.deferred.is_empty() || self.receiver.has_message()
    }

    /// Takes the client's answers while its own request is pending; its later requests are
    /// deferred.
    fn receive_replies(&mut self, function: &mut dyn Function) -> Result<Wants, SessionError> {
        if self.pending.as_ref().is_some_and(PendingRequest::wants_turn) {
            return Ok(Wants::Turn);
        }
        if function.dma().transfers().is_idle() || self.twin().is_some() {
            return Ok(Wants::Released);
        }
        if !self.receiver.has_message() && !self.deferred.is_full() {
            match self.receiver.fill(self.socket.as_fd(), true) {
                Ok(0) => return Ok(Wants::End),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Wants::Replies),
                Err(error) => return Err(error.into()),
            }
        }
        while !self.deferred.is_full()
            && let Some(incoming) = self.receiver.next()?
        {
            match incoming.header().message_type() {
                Some(MessageType::Reply) => on_reply(function, &mut self.outbox, &incoming)?,
                _ => self.deferred.push(incoming),
            }
        }
        let sent = self.send_pending(function);
        let flushed = self.flush();
        sent?;
        Ok(match flushed? {
            false => self.wants_reader(),
            true if self.deferred.is_full() => Wants::Released,
            true => Wants::Replies,
        })
    }

    /// Continues the pending request, if it can continue.
    fn resume(&mut self, function: &mut dyn Function) -> Result<(), SessionError> {
        if let Some(pending) = self.pending.take_if(|pending| pending.is_due()) {
            pending.log(&self.log);
            let reply = self.outbox.reply(pending.header());
            self.pending = resume(function, pending, reply)?;
            if self.pending.is_none() {
                self.work(function)?;
            }
        }
        Ok(())
    }

    /// Runs the work that a request has left, after its reply and before the next request. Returns
    /// whether the client accepts no more replies.
    fn work(&mut self, function: &mut dyn Function) -> Result<bool, SessionError> {
        let work = function.has_work();
        let blocked = (work || self.outbox.is_full()) && !self.flush()?;
        if work {
            guarded(|| function.work())?;
        }
        Ok(blocked)
    }

    /// Handles complete messages.
    fn handle(
        &mut self,
        function: &mut dyn Function,
        budget: &mut Budget,
    ) -> Result<(), SessionError> {
        while !budget.is_spent() {
            if self.deferred.is_empty() && self.answer_too_small(function)? {
                budget.spend();
                if self.work(function)? {
                    break;
                }
                continue;
            }
            let mut deferred = self.deferred.pop();
            let incoming = match &mut deferred {
                Some(deferred) => Some(deferred.incoming()),
                None => self.receiver.next()?,
            };
            let Some(incoming) = incoming else { break };
            budget.spend();
            let header = incoming.header();
            if header.message_type() == Some(MessageType::Reply) {
                on_reply(function, &mut self.outbox, &incoming)?;
            } else {
                let reply = self.outbox.reply(header);
                self.pending = respond(function, &self.negotiated.client, incoming, reply)?;
            }
            let blocked = self.work(function)?;
            self.send_pending(function)?;
            if blocked || self.pending.is_some() || !self.has_message() {
                break;
            }
        }
        Ok(())
    }

    /// Answers the next message if it is smaller than its header and the function wants that.
    /// Returns whether it has.
    fn answer_too_small(&mut self, function: &mut dyn Function) -> Result<bool, SessionError> {
        let Some(header) = self.receiver.too_small() else { return Ok(false) };
        let errno = guarded(|| function.invalid_message(InvalidMessage::TooSmall))?;
        if let Some(errno) = errno {
            self.receiver.drop_header();
            self.outbox.reply(header).finish(Err(errno));
        }
        Ok(errno.is_some())
    }

    /// Returns the twin socket, if the client has one.
    pub(super) fn twin(&self) -> Option<&Twin> {
        self.negotiated.twin.as_ref()
    }

    /// Notes that it has answers.
    pub(super) fn note_replies(&mut self) {
        self.has_replies = true;
    }

    fn serve_twin(&mut self, function: &mut dyn Function) -> Result<(), SessionError> {
        let has_replies = std::mem::take(&mut self.has_replies);
        let twin = &mut self.negotiated.twin;
        if let Some(open) = twin
            && (has_replies || !function.dma().transfers().is_idle())
            && let Some(error) = open.turn(function, has_replies)?
        {
            if has_left(&error) {
                debug!("the client closed its twin socket");
            } else {
                self.log.twin(&error);
            }
            *twin = None;
        }
        Ok(())
    }

    /// Sends requests to the client, after its pending replies.
    fn send_pending(&mut self, function: &mut dyn Function) -> Result<(), SessionError> {
        if self.twin().is_some() {
            return Ok(());
        }
        let Session { socket, outbox, stuck, .. } = self;
        send_pending(function, outbox, |outbox| flush(socket, outbox, stuck))
    }

    /// Sends the bytes that the client accepts. Returns whether all were sent.
    fn flush(&mut self) -> io::Result<bool> {
        flush(&self.socket, &mut self.outbox, &mut self.stuck)
    }
}

/// Returns whether a function waits for nothing but requests of its client.
fn has_no_other_work(function: &mut dyn Function) -> bool {
    let dma = function.dma();
    let has_dma = dma.is_shared() || !dma.transfers().is_idle();
    !has_dma
        && !function.interrupts().has_control_changes()
        && !function.has_work()
        && function.wake().is_none()
        && function.next_poll().is_none()
        && function.deadline().is_none()
}

/// Sends the bytes that the client accepts, and notes since when it accepts none. Returns whether
/// all were sent.
fn flush(
    socket: &UnixStream,
    outbox: &mut Outbox,
    stuck: &mut Option<Instant>,
) -> io::Result<bool> {
    let before = outbox.sent();
    let all = outbox.flush(socket.as_fd())?;
    *stuck = match *stuck {
        _ if all => None,
        Some(since) if outbox.sent() == before => Some(since),
        _ => Some(Instant::now()),
    };
    Ok(all)
}
