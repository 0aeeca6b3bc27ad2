//! A client that sends arbitrary bytes.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::wire::{self, command, flag};
use crate::{PATIENCE, files};

/// One end of a connection. Every call that waits fails after [`PATIENCE`].
#[derive(Debug)]
pub struct RawClient {
    stream: UnixStream,
    next_id: u16,
}

/// A received message.
#[derive(Debug)]
pub struct Answer {
    /// Message id.
    pub id: u16,
    /// Command.
    pub command: u16,
    /// Size in the header.
    pub size: u32,
    /// Type and flags.
    pub flags: u32,
    /// The error field.
    pub error: u32,
    /// The bytes behind the header.
    pub payload: Vec<u8>,
    /// The received descriptors.
    pub fds: Vec<OwnedFd>,
}

impl Answer {
    /// Returns the error of the reply.
    pub fn errno(&self) -> Option<u32> {
        (self.flags & flag::ERROR != 0).then_some(self.error)
    }

    /// Returns the bytes of the message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.id.to_le_bytes(), self.command.to_le_bytes()].concat();
        bytes.extend(wire::words(&[self.size, self.flags, self.error]));
        bytes.extend(&self.payload);
        bytes
    }

    /// Returns the reply that refuses a request.
    #[expect(clippy::cast_possible_truncation, reason = "a header has 16 bytes")]
    pub fn refusal(request: &Answer, errno: u32) -> Self {
        let (payload, fds) = (Vec::new(), Vec::new());
        let size = wire::HEADER as u32;
        let flags = flag::REPLY | flag::ERROR;
        Answer { size, flags, error: errno, payload, fds, ..*request }
    }

    /// Returns the payload of a successful reply.
    ///
    /// # Panics
    ///
    /// If it is an error.
    #[track_caller]
    pub fn ok(self) -> Vec<u8> {
        assert_eq!(self.errno(), None, "command {} failed", self.command);
        self.payload
    }

    /// Checks that the reply is this error, without a payload.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn fails_with(&self, errno: u32) {
        assert_eq!(self.errno(), Some(errno), "command {}", self.command);
        assert_eq!((self.size, self.payload.len(), self.fds.len()), (16, 0, 0));
    }
}

impl RawClient {
    /// Creates a client at one end of a connection.
    ///
    /// # Panics
    ///
    /// If no timeout can be set.
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        RawClient { stream, next_id: 0x1000 }
    }

    /// Connects to a server.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn connect(path: &Path) -> Self {
        Self::new(UnixStream::connect(path).expect("connect"))
    }

    /// The socket.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends bytes, and the descriptors with the first byte.
    ///
    /// # Panics
    ///
    /// If the server does not take them in time.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        self.try_send(bytes, fds).expect("send");
    }

    /// As [`send`](Self::send), to a server that may have closed the connection.
    ///
    /// # Errors
    ///
    /// Those of `sendmsg(2)`.
    ///
    /// # Panics
    ///
    /// If there are more descriptors than one send can carry.
    pub fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let mut space = vec![MaybeUninit::uninit(); 2048];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)), "too many descriptors");
        }
        let sent = loop {
            let data = [IoSlice::new(bytes)];
            match sendmsg(&self.stream, &data, &mut ancillary, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                sent => break sent?,
            }
        };
        (&self.stream).write_all(&bytes[sent..])
    }

    /// Receives exactly one message.
    ///
    /// # Panics
    ///
    /// If none comes, or the server closes the connection.
    #[track_caller]
    pub fn receive(&self) -> Answer {
        self.try_receive().expect("a message")
    }

    /// Receives exactly one message; `None` if the server has closed the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes in time, or half a message.
    #[track_caller]
    pub fn try_receive(&self) -> Option<Answer> {
        let mut header = [0; wire::HEADER];
        let (got, fds) = self.receive_with_fds(&mut header);
        if got == 0 {
            return None;
        }
        (&self.stream).read_exact(&mut header[got..]).expect("the rest of a header");
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let size = wire::u32_at(&header, 4);
        assert!(size >= 16, "size {size} in a reply");
        let mut payload = vec![0; size as usize - wire::HEADER];
        (&self.stream).read_exact(&mut payload).expect("the payload");
        let (flags, error) = (wire::u32_at(&header, 8), wire::u32_at(&header, 12));
        Some(Answer { id: half(0), command: half(2), size, flags, error, payload, fds })
    }

    #[track_caller]
    fn receive_with_fds(&self, bytes: &mut [u8]) -> (usize, Vec<OwnedFd>) {
        let mut space = vec![MaybeUninit::uninit(); 2048];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut data = [IoSliceMut::new(bytes)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.stream, &mut data, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return (0, Vec::new()),
                received => break received.expect("a message in time").bytes,
            }
        };
        let mut fds = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        (received, fds)
    }

    /// Checks that the server closes the connection without another message.
    ///
    /// # Panics
    ///
    /// If it sends a message, or keeps the connection open.
    #[track_caller]
    pub fn expect_closed(&self) {
        if let Some(answer) = self.try_receive() {
            panic!("a message instead of the end: {answer:?}");
        }
    }

    /// Whether the server has sent something that was not received yet.
    ///
    /// # Panics
    ///
    /// If the socket cannot be polled.
    pub fn has_message(&self, within: Duration) -> bool {
        files::is_readable(&self.stream, within)
    }

    /// Negotiates a version, and checks that the server agrees.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn negotiate(&mut self) -> Vec<u8> {
        let proposal = wire::version(0, r#"{"capabilities":{"max_msg_fds":8}}"#);
        self.request(command::VERSION, &proposal, &[]).ok()
    }

    /// Sends a request and receives its reply, which must repeat id and command.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn request(&mut self, command: u16, payload: &[u8], fds: &[BorrowedFd<'_>]) -> Answer {
        let id = self.id();
        self.send(&wire::message(id, command, 0, payload), fds);
        self.answer_to(id, command)
    }

    /// Returns a new message id.
    pub fn id(&mut self) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    /// Receives the reply to a request that was sent before.
    ///
    /// # Panics
    ///
    /// If it is another message.
    #[track_caller]
    pub fn answer_to(&self, id: u16, command: u16) -> Answer {
        let answer = self.receive();
        assert_eq!((answer.id, answer.command), (id, command), "id and command");
        match answer.flags {
            flag::REPLY => assert_eq!(answer.error, 0, "the error field of a success"),
            flags => {
                assert_eq!(flags, flag::REPLY | flag::ERROR, "flags");
                assert_ne!(answer.error, 0, "an error without number");
                assert!(answer.payload.is_empty(), "an error with payload");
            }
        }
        answer
    }

    /// Sends a command without requesting a reply.
    pub fn post(&mut self, command: u16, payload: &[u8], fds: &[BorrowedFd<'_>]) {
        let id = self.id();
        self.send(&wire::message(id, command, flag::NO_REPLY, payload), fds);
    }

    /// Performs a round trip: afterwards everything sent before has been handled, without an
    /// unexpected reply.
    ///
    /// # Panics
    ///
    /// If another message than the reply arrives.
    #[track_caller]
    pub fn sync(&mut self) {
        assert_eq!(self.request(command::GET_INFO, &wire::words(&[16, 0, 0, 0]), &[]).size, 32);
    }

    /// Reads from a region.
    ///
    /// # Errors
    ///
    /// The error in the reply.
    ///
    /// # Panics
    ///
    /// If the reply does not fit the request.
    #[track_caller]
    pub fn try_read(&mut self, region: u32, offset: u64, count: u32) -> Result<Vec<u8>, u32> {
        let access = wire::access(region, offset, count);
        let answer = self.request(command::REGION_READ, &access, &[]);
        if let Some(errno) = answer.errno() {
            return Err(errno);
        }
        let mut payload = answer.payload;
        let data = payload.split_off(16);
        assert_eq!(payload, access, "the request, repeated");
        assert_eq!(data.len(), count as usize);
        Ok(data)
    }

    /// As [`try_read`](Self::try_read), where it must succeed.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn read(&mut self, region: u32, offset: u64, count: u32) -> Vec<u8> {
        self.try_read(region, offset, count).expect("read")
    }

    /// Reads a number of `N` bytes.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[track_caller]
    pub fn number(&mut self, region: u32, offset: u64, width: u32) -> u64 {
        wire::number(&self.read(region, offset, width))
    }

    /// Writes to a region.
    ///
    /// # Errors
    ///
    /// The error in the reply.
    ///
    /// # Panics
    ///
    /// If the reply does not fit the request.
    #[track_caller]
    pub fn try_write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), u32> {
        let write = wire::write(region, offset, data);
        let answer = self.request(command::REGION_WRITE, &write, &[]);
        if let Some(errno) = answer.errno() {
            return Err(errno);
        }
        assert_eq!(answer.payload, write[..16], "the request, repeated");
        Ok(())
    }

    /// As [`try_write`](Self::try_write), where it must succeed.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn write(&mut self, region: u32, offset: u64, data: &[u8]) {
        self.try_write(region, offset, data).expect("write");
    }

    /// Writes without requesting a reply.
    pub fn posted_write(&mut self, region: u32, offset: u64, data: &[u8]) {
        self.post(command::REGION_WRITE, &wire::write(region, offset, data), &[]);
    }

    /// Assigns eventfds to vectors `start..`.
    ///
    /// # Panics
    ///
    /// If that is refused.
    #[track_caller]
    pub fn assign(&mut self, index: u32, start: u32, fds: &[BorrowedFd<'_>]) {
        let count = u32::try_from(fds.len()).expect("few");
        self.set_irqs(wire::irq::EVENTFD | wire::irq::TRIGGER, index, start, count, fds).ok();
    }

    /// Sends `SET_IRQS` without data in its payload.
    ///
    /// # Panics
    ///
    /// If the reply does not fit the request.
    #[track_caller]
    pub fn set_irqs(
        &mut self,
        flags: u32,
        index: u32,
        start: u32,
        count: u32,
        fds: &[BorrowedFd<'_>],
    ) -> Answer {
        self.request(command::SET_IRQS, &wire::set_irqs(flags, index, start, count), fds)
    }

    /// Sends `DMA_MAP`.
    ///
    /// # Panics
    ///
    /// If the reply does not fit the request.
    #[track_caller]
    pub fn dma_map(
        &mut self,
        flags: u32,
        file_offset: u64,
        iova: u64,
        size: u64,
        fd: Option<BorrowedFd<'_>>,
    ) -> Answer {
        let payload = wire::dma_map(flags, file_offset, iova, size);
        self.request(command::DMA_MAP, &payload, fd.as_slice())
    }

    /// Sends `DMA_UNMAP`, and checks that the reply repeats the request.
    ///
    /// # Errors
    ///
    /// The error in the reply.
    ///
    /// # Panics
    ///
    /// If the reply does not fit the request.
    #[track_caller]
    pub fn dma_unmap(&mut self, flags: u32, iova: u64, size: u64) -> Result<(), u32> {
        let payload = wire::dma_unmap(flags, iova, size);
        let answer = self.request(command::DMA_UNMAP, &payload, &[]);
        if let Some(errno) = answer.errno() {
            return Err(errno);
        }
        assert_eq!(answer.payload, payload, "the request, repeated");
        Ok(())
    }

    /// Reads until the server closes the connection, at most for [`PATIENCE`].
    ///
    /// # Panics
    ///
    /// If it stays open.
    pub fn drain_to_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = vec![0; 1 << 16];
        loop {
            assert!(Instant::now() < deadline, "the connection stays open");
            match (&self.stream).read(&mut bytes) {
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                read => drop(read.expect("the end in time")),
            }
        }
    }
}
