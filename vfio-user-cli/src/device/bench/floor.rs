//! The floor of a request: a thread that answers as many bytes and does nothing else.

use std::io::{Read as _, Result, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

/// A thread that answers requests of a size by replies of a size, until this is dropped.
pub(super) struct Echo {
    stream: UnixStream,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Echo {
    pub(super) fn start(request: usize, reply: usize) -> Result<Self> {
        let (stream, mut other) = UnixStream::pair()?;
        let (request, reply) = (vec![0; request], vec![0; reply]);
        let (mut received, answer) = (request.clone(), reply.clone());
        thread::spawn(move || {
            // It ends when the stream is closed.
            while other.read_exact(&mut received).and_then(|()| other.write_all(&answer)).is_ok() {}
        });
        Ok(Echo { stream, request, reply })
    }

    pub(super) fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request)?;
        self.stream.read_exact(&mut self.reply)
    }
}
