//! The floor of a measurement: a thread that receives and sends as many bytes, and does nothing
//! else.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::Result;

use super::latencies::{Latencies, rate};
use crate::socket;

/// The sizes of a message and of its reply, in bytes; 0 if there is none.
#[derive(Clone, Copy)]
pub(super) struct Exchange {
    request: usize,
    reply: usize,
    passes_fd: bool,
}

impl Exchange {
    pub(super) const fn of(request: usize, reply: usize) -> Self {
        Exchange { request, reply, passes_fd: false }
    }

    /// A message with a descriptor.
    pub(super) const fn with_fd(request: usize, reply: usize) -> Self {
        Exchange { request, reply, passes_fd: true }
    }
}

/// Returns the median time of exchanges in a row, in nanoseconds.
pub(super) fn median(exchanges: &[Exchange], time: Duration) -> Result<u32> {
    let mut echo = Echo::start(exchanges)?;
    Ok(Latencies::measure(time, || echo.exchange())?.summary().p50)
}

/// Returns how often a second exchanges in a row are made.
pub(super) fn frequency(exchanges: &[Exchange], time: Duration) -> Result<f64> {
    let mut echo = Echo::start(exchanges)?;
    Ok(rate(time, || echo.exchange())?)
}

/// A thread that answers the same exchanges again and again, until this is dropped.
struct Echo {
    stream: UnixStream,
    exchanges: Vec<Exchange>,
    fd: [OwnedFd; 1],
    buffer: Vec<u8>,
}

impl Echo {
    fn start(exchanges: &[Exchange]) -> io::Result<Self> {
        let (stream, mut other) = UnixStream::pair()?;
        let fd = [page()?.into()];
        let sizes = exchanges.iter().map(|one| one.request.max(one.reply));
        let buffer = vec![0; sizes.max().unwrap_or(0)];
        let echo = Echo { stream, exchanges: exchanges.to_vec(), fd, buffer };
        let (exchanges, mut buffer) = (echo.exchanges.clone(), echo.buffer.clone());
        thread::spawn(move || {
            // It ends when the stream is closed.
            let mut answer = |one: &Exchange| answer(&mut other, one, &mut buffer);
            while exchanges.iter().try_for_each(&mut answer).is_ok() {}
        });
        Ok(echo)
    }

    /// Makes all exchanges, one after the other.
    fn exchange(&mut self) -> io::Result<()> {
        for one in &self.exchanges {
            let request = &self.buffer[..one.request];
            if one.passes_fd {
                socket::send(&self.stream, request, &self.fd)?;
            } else {
                self.stream.write_all(request)?;
            }
            self.stream.read_exact(&mut self.buffer[..one.reply])?;
        }
        Ok(())
    }
}

/// Receives a message, closes its descriptor, and replies.
fn answer(stream: &mut UnixStream, one: &Exchange, buffer: &mut [u8]) -> io::Result<()> {
    let mut received = 0;
    if one.passes_fd {
        received = socket::receive(stream, &mut buffer[..one.request], true)?.bytes;
    }
    stream.read_exact(&mut buffer[received..one.request])?;
    stream.write_all(&buffer[..one.reply])
}

/// The size of the memory of [`page`].
pub(super) const PAGE: u64 = 4096;

/// Returns memory that can be mapped.
pub(super) fn page() -> io::Result<File> {
    let file = File::from(memfd_create(c"vfu-bench", MFdFlags::MFD_CLOEXEC)?);
    file.set_len(PAGE)?;
    Ok(file)
}
