//! Messages between a program and its successor.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

use super::TakeOverError;
use crate::fds::{CloseQueue, PeerFd, PeerFds};
use crate::parcel::{Packing, Unpacking};
use crate::protocol::{HEADER_SIZE, Header};
use crate::transport::{Incoming, Receiver, send_all};

/// The longest message.
const LONGEST: usize = 64 << 10;
/// The bytes of a part of a parcel, and its descriptors. The kernel passes 253 at most.
const PART: usize = 32 << 10;
const PART_FDS: usize = 128;
/// The limits of a parcel.
const MAX_BYTES: usize = 1 << 30;
const MAX_FDS: usize = 1 << 18;
/// The longest reason of a refusal.
const MAX_REASON: usize = 4 << 10;
/// The interval at which a wait looks at the clock.
const CHECK: Duration = Duration::from_millis(20);

/// The kinds of messages, which are the commands of their headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hello = 1,
    Parcel,
    Part,
    Ready,
    Commit,
    Refused,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Hello => "HELLO",
            Kind::Parcel => "PARCEL",
            Kind::Part => "PART",
            Kind::Ready => "READY",
            Kind::Commit => "COMMIT",
            Kind::Refused => "REFUSED",
        }
    }
}

/// The sizes of a parcel, and the checksum of its bytes (CRC32C).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    records: usize,
    bytes: usize,
    fds: usize,
    crc: u32,
}

/// The other program, predecessor or successor.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: UnixStream,
    receiver: Receiver,
    /// The time at which messages that are due are late; `None` to wait until the connection ends.
    until: Option<Instant>,
}

impl Peer {
    /// Takes a connection to a program of the same user.
    ///
    /// # Errors
    ///
    /// [`TakeOverError::OtherUser`], and if the socket cannot be used.
    pub(crate) fn new(stream: UnixStream) -> Result<Self, TakeOverError> {
        let theirs = getsockopt(&stream, sockopt::PeerCredentials).map_err(io::Error::from)?.uid();
        let ours = geteuid().as_raw();
        if theirs != ours {
            return Err(TakeOverError::OtherUser { theirs, ours });
        }
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(CHECK))?;
        stream.set_write_timeout(Some(CHECK))?;
        let receiver = Receiver::new(LONGEST, &CloseQueue::default());
        Ok(Peer { stream, receiver, until: None })
    }

    /// Sets the time at which messages are late.
    pub(crate) fn wait_until(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Sends a message with a record.
    ///
    /// # Errors
    ///
    /// If the connection fails, or the other program does not receive it in time.
    pub(crate) fn send(&self, kind: Kind, record: &impl Serialize) -> Result<(), TakeOverError> {
        let record = serde_json::to_vec(record).map_err(io::Error::from)?;
        self.send_bytes(kind, &record, &[])
    }

    /// Refuses, and passes the reason.
    pub(crate) fn refuse(&mut self, reason: &TakeOverError) {
        let text: String = chain(reason).chars().take(MAX_REASON / 4).collect();
        self.until = Some(Instant::now());
        // The end of the connection says the same.
        let _ = self.send_bytes(Kind::Refused, text.as_bytes(), &[]);
    }

    fn send_bytes(
        &self,
        kind: Kind,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), TakeOverError> {
        let size = u32::try_from(HEADER_SIZE + payload.len()).unwrap_or(u32::MAX);
        let header =
            Header { command: (kind as u16).into(), size: size.into(), ..Header::default() };
        let message = [header.as_bytes(), payload].concat();
        loop {
            match send_all(self.stream.as_fd(), &message, fds, &|| !self.is_late()) {
                // The other program has to receive earlier descriptors first.
                Err(error) if is_too_many(&error) && !self.is_late() => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(TakeOverError::Late("a sign that it receives"));
                }
                sent => return Ok(sent?),
            }
        }
    }

    /// Receives the message that is due, which has a record.
    ///
    /// # Errors
    ///
    /// If the connection fails, if another message or none arrives, or if the other program has
    /// refused.
    pub(crate) fn expect<T: DeserializeOwned>(&mut self, kind: Kind) -> Result<T, TakeOverError> {
        let (payload, _) = self.receive(kind)?;
        serde_json::from_slice(&payload)
            .map_err(|error| TakeOverError::malformed(kind.name(), &error))
    }

    fn receive(&mut self, expected: Kind) -> Result<(Vec<u8>, PeerFds), TakeOverError> {
        while !self.receiver.has_message() {
            match self.receiver.fill(self.stream.as_fd(), false) {
                Ok(0) => return Err(TakeOverError::Closed(expected.name())),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Err(TakeOverError::Closed(expected.name()));
                }
                Err(error) if !is_passing(&error) => return Err(error.into()),
                _ if self.is_late() && !self.receiver.has_message() => {
                    return Err(TakeOverError::Late(expected.name()));
                }
                _ => {}
            }
        }
        let Some(Incoming::Message(message)) = self.receiver.next()? else {
            let problem = format!("it is longer than {LONGEST} bytes");
            return Err(TakeOverError::malformed(expected.name(), &problem));
        };
        match message.header.command.get() {
            kind if kind == expected as u16 => {}
            kind if kind == Kind::Refused as u16 => {
                return Err(TakeOverError::Refused(printable(message.payload)));
            }
            kind => return Err(TakeOverError::Unexpected { kind, expected: expected.name() }),
        }
        if message.fds_are_lost {
            let error = io::Error::other("this process may open no more descriptors");
            return Err(error.into());
        }
        Ok((message.payload.to_vec(), message.fds))
    }

    /// Waits until the other program closes the connection, or the time has passed.
    pub(crate) fn wait_for_end(&mut self, until: Instant) {
        self.until = Some(until);
        // Another message is as good as the end.
        let _ = self.receive(Kind::Refused);
    }

    /// Sends records, with the bytes and descriptors that they refer to.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub(crate) fn send_parcel(
        &self,
        records: &impl Serialize,
        parcel: &Packing,
    ) -> Result<(), TakeOverError> {
        let mut all = serde_json::to_vec(records).map_err(io::Error::from)?;
        let (records, bytes, fds) = (all.len(), parcel.bytes().len(), parcel.fds());
        all.extend_from_slice(parcel.bytes());
        let crc = crc32c::crc32c(&all);
        self.send(Kind::Parcel, &Contents { records, bytes, fds: fds.len(), crc })?;
        let mut fds = fds.chunks(PART_FDS);
        for part in all.chunks(PART) {
            self.send_bytes(Kind::Part, part, fds.next().unwrap_or_default())?;
        }
        fds.try_for_each(|fds| self.send_bytes(Kind::Part, &[], fds))
    }

    /// Receives records, with the bytes and descriptors that they refer to.
    ///
    /// # Errors
    ///
    /// As [`expect`](Self::expect).
    pub(crate) fn receive_parcel<T: DeserializeOwned>(
        &mut self,
    ) -> Result<(T, Unpacking), TakeOverError> {
        let wrong = |problem: String| TakeOverError::Malformed { message: "PARCEL", problem };
        let contents: Contents = self.expect(Kind::Parcel)?;
        let size = contents.records.checked_add(contents.bytes).filter(|size| *size <= MAX_BYTES);
        let size = size.filter(|_| contents.fds <= MAX_FDS);
        let size = size.ok_or_else(|| wrong(format!("{contents:?} exceeds the limits")))?;
        let (mut all, mut fds) = (Vec::new(), Vec::<PeerFd>::new());
        while all.len() < size || fds.len() < contents.fds {
            let (part, more) = self.receive(Kind::Part)?;
            if part.is_empty() && more.is_empty() {
                return Err(wrong("a part of it is empty".to_owned()));
            }
            all.extend(part);
            fds.extend(more);
        }
        if all.len() != size || fds.len() != contents.fds || crc32c::crc32c(&all) != contents.crc {
            return Err(wrong("its contents are not those that it lists".to_owned()));
        }
        let bytes = all.split_off(contents.records);
        let records = serde_json::from_slice(&all).map_err(|error| wrong(error.to_string()))?;
        Ok((records, Unpacking::new(bytes, fds)))
    }
}

/// Returns whether a receive may be repeated.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn is_too_many(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ETOOMANYREFS)
}

/// Returns an error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// Returns the text of the other program without what a terminal would act on.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_REASON)]);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
