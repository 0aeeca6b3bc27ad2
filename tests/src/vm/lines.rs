//! The output of a process, line by line, with deadlines.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

/// The output of a process, while it is being written.
#[derive(Debug)]
pub(super) struct Lines {
    receiver: Receiver<String>,
    seen: String,
}

/// The reason why no line arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLine {
    End,
    Deadline,
}

impl Lines {
    pub(super) fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Lines { receiver, seen: String::new() }
    }

    /// Returns the next line.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<String, NoLine> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.receiver.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoLine::Deadline,
            RecvTimeoutError::Disconnected => NoLine::End,
        })?;
        self.seen.push_str(&line);
        self.seen.push('\n');
        Ok(line)
    }

    /// Returns the next line that contains `text`.
    pub(super) fn find(&mut self, text: &str, deadline: Instant) -> Result<String, NoLine> {
        loop {
            let line = self.next(deadline)?;
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// Reads to the end; returns `false` if the deadline passes first.
    pub(super) fn finish(&mut self, deadline: Instant) -> bool {
        loop {
            if let Err(end) = self.next(deadline) {
                return end == NoLine::End;
            }
        }
    }

    /// Returns all lines read so far.
    pub(super) fn seen(&self) -> &str {
        &self.seen
    }
}
