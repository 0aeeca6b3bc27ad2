//! A client that waits for nothing, and checks what it receives.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use vfio_user_tests::wire::{self, HEADER, command, flag};

use super::Reply;
use super::body::TYPE;

/// The largest message of a server: a mebibyte of data, and what stands before it.
const LARGEST: usize = (1 << 20) + 64;

pub(in crate::targets) struct Peer {
    stream: UnixStream,
    received: Vec<u8>,
    /// What the server has passed.
    descriptors: Vec<OwnedFd>,
    next_id: u16,
    /// The requests that wait for a reply.
    waiting: Vec<u16>,
    /// The requests of the server, with their payloads.
    asked: Vec<(u16, u16, Vec<u8>)>,
    replies: Vec<Answer>,
    /// Whether all that was sent were messages: otherwise bytes may count as a request.
    is_framed: bool,
}

/// A reply of the server.
pub(in crate::targets) struct Answer {
    pub(in crate::targets) id: u16,
    pub(in crate::targets) is_error: bool,
    pub(in crate::targets) payload: Vec<u8>,
}

impl Peer {
    pub(in crate::targets) fn new(stream: UnixStream) -> Self {
        Peer {
            stream,
            received: Vec::new(),
            descriptors: Vec::new(),
            next_id: 0,
            waiting: Vec::new(),
            asked: Vec::new(),
            replies: Vec::new(),
            is_framed: true,
        }
    }

    pub(in crate::targets) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(in crate::targets) fn next_id(&mut self) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    pub(in crate::targets) fn expect_reply(&mut self, id: u16) {
        self.waiting.push(id);
    }

    /// Notes that what is sent is no message any more.
    pub(in crate::targets) fn unframe(&mut self) {
        self.is_framed = false;
    }

    /// Sends bytes, with descriptors. What the server does not take is lost.
    pub(in crate::targets) fn send(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); 2048];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)), "too many descriptors");
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut ancillary, flags);
        if !matches!(sent, Ok(sent) if sent == bytes.len()) {
            self.is_framed = false;
        }
    }

    /// Receives all that there is; `false` if the server has closed the connection.
    pub(in crate::targets) fn receive(&mut self) -> bool {
        let mut bytes = [0; 1 << 14];
        loop {
            let mut space = [MaybeUninit::uninit(); 2048];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let slices = &mut [IoSliceMut::new(&mut bytes)];
            let received = match recvmsg(&self.stream, slices, &mut ancillary, flags) {
                Ok(received) => received.bytes,
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            };
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    self.descriptors.extend(rights);
                }
            }
            if received == 0 {
                return false;
            }
            self.received.extend(&bytes[..received]);
            self.take_messages();
        }
    }

    fn take_messages(&mut self) {
        while self.received.len() >= HEADER {
            let size = wire::u32_at(&self.received, 4) as usize;
            assert!((HEADER..=LARGEST).contains(&size), "a message of {size} bytes");
            if self.received.len() < size {
                return;
            }
            let rest = self.received.split_off(size);
            let message = std::mem::replace(&mut self.received, rest);
            self.take(&message);
        }
    }

    fn take(&mut self, message: &[u8]) {
        let half = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
        let (id, command, flags) = (half(0), half(2), wire::u32_at(message, 8));
        let (errno, payload) = (wire::u32_at(message, 12), message[HEADER..].to_vec());
        if flags & TYPE == 0 {
            assert!(matches!(command, command::DMA_READ | command::DMA_WRITE), "{command}");
            assert!(payload.len() >= 16, "{command} of {} bytes", payload.len());
            if flags & flag::NO_REPLY == 0 {
                self.asked.push((id, command, payload));
            }
            return;
        }
        let is_error = flags & flag::ERROR != 0;
        assert_eq!(flags & !flag::ERROR, flag::REPLY, "flags of a reply");
        assert_eq!(errno != 0, is_error, "the number of an error");
        assert!(!is_error || payload.is_empty(), "an error with a payload");
        if self.is_framed {
            let waiting = self.waiting.iter().position(|waiting| *waiting == id);
            self.waiting.remove(waiting.expect("a reply to a request that was sent"));
        }
        self.replies.push(Answer { id, is_error, payload });
    }

    /// Takes the reply to a request, if it has come.
    pub(in crate::targets) fn take_reply(&mut self, id: u16) -> Option<Answer> {
        let at = self.replies.iter().position(|reply| reply.id == id)?;
        Some(self.replies.remove(at))
    }

    /// Replies to the oldest request of the server.
    pub(super) fn reply(&mut self, reply: &Reply) {
        if self.asked.is_empty() {
            return;
        }
        let (id, command, payload) = self.asked.remove(0);
        let message = match reply {
            Reply::Right if command == command::DMA_READ => {
                // No server asks for more than a mebibyte.
                let count = usize::try_from(wire::u64_at(&payload, 8)).unwrap_or(usize::MAX);
                assert!(count <= 1 << 20, "{count} bytes are asked for");
                let data = vec![0x5a; count];
                wire::message(id, command, flag::REPLY, &[&payload[..16], &data].concat())
            }
            Reply::Right => wire::message(id, command, flag::REPLY, &payload[..16]),
            Reply::Error(errno) => {
                let mut error = wire::header(id, command, 16, flag::REPLY | flag::ERROR);
                error[12] = *errno;
                error
            }
            Reply::Wrong(bytes, other) => {
                wire::message(id ^ u16::from(*other), command, flag::REPLY, bytes)
            }
        };
        self.send(&message, &[]);
    }
}
