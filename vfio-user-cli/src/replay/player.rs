//! Plays the records of one connection.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use vfio_user::protocol::Command;

use super::compare::compare;
use super::difference::{About, Difference, What};
use super::ignore::Ignored;
use super::link::{Link, Stop};
use super::resources::replace;
use super::stream::Arrived;
use crate::description::Description;
use crate::descriptor::Descriptor;
use crate::log::{Kind, Record, Sender};
use crate::message::{self, Decoded};

/// Plays the client of a log.
pub(super) struct Player<'a> {
    link: Link,
    ignored: &'a [Ignored],
    registers: Option<&'a Description>,
    /// The client's commands that wait for a reply, by id.
    requests: HashMap<u16, VecDeque<Decoded>>,
    /// The server's commands that wait for a reply, by their ids in the log.
    commands: HashMap<u16, VecDeque<Incoming>>,
    outcome: Outcome,
    /// The time of the last record.
    time: Duration,
    is_over: bool,
}

/// A command of the server.
struct Incoming {
    id: u16,
    is_twin: bool,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) messages: u64,
    pub(super) differences: u64,
    /// Files that were replaced by empty ones.
    pub(super) files: u64,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        link: Link,
        ignored: &'a [Ignored],
        registers: Option<&'a Description>,
    ) -> Self {
        Player {
            link,
            ignored,
            registers,
            requests: HashMap::new(),
            commands: HashMap::new(),
            outcome: Outcome::default(),
            time: Duration::ZERO,
            is_over: false,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether nothing more can be played: the server has left, or does not reply.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Plays a record: sends what the client has sent, compares what the server sends.
    pub(super) fn play(&mut self, record: &Record) -> io::Result<Vec<Difference>> {
        self.outcome.messages += u64::from(record.kind == Kind::Message);
        self.time = record.time;
        let found = match (record.kind, record.route.from) {
            (Kind::Message, Sender::Client) => self.send(record)?,
            (Kind::Message, Sender::Server) => self.expect(record)?,
            (Kind::Unframed, Sender::Client) => {
                let sent = self.link.send(record.route.is_twin, &record.body, &[]);
                self.sent(sent, &About::other("bytes of no message"))?
            }
            (Kind::End, _) if record.route.is_twin => Vec::new(),
            (Kind::End, Sender::Client) => self.close()?,
            (Kind::End, Sender::Server) => self.expect_end()?,
            _ => Vec::new(),
        };
        self.outcome.differences += found.len() as u64;
        Ok(found)
    }

    /// Returns what the server had sent when the client closed the connection, and the log does not
    /// have.
    pub(super) fn finish(&mut self) -> Vec<Difference> {
        let mut found = Vec::new();
        while let Some((arrived, _)) = self.link.take(|arrived| arrived.is_marked) {
            let message = &arrived.message;
            // A client may close the connection without the replies to its last requests.
            let request = message.is_reply().then(|| self.request(message.id())).flatten();
            if request.is_none() && !self.is_ignored(message) {
                found.extend(self.differences(&self.about(message), [What::Surplus]));
            }
        }
        self.outcome.differences += found.len() as u64;
        found
    }

    /// Sends a message of the client, with descriptors like those of the log.
    fn send(&mut self, record: &Record) -> io::Result<Vec<Difference>> {
        let message = message::decode(&record.body);
        if message.is_reply() {
            return self.answer(record, &message);
        }
        let fds = record.descriptors.iter().map(|descriptor| replace(*descriptor));
        let fds = fds.collect::<io::Result<Vec<_>>>()?;
        let files = record.descriptors.iter().filter(|fd| matches!(fd, Descriptor::File(_)));
        self.outcome.files += files.count() as u64;
        let sent = self.link.send(record.route.is_twin, &record.body, &fds);
        let about = self.about(&message);
        let found = self.sent(sent, &about)?;
        if !message.header.no_reply() {
            self.requests.entry(message.id()).or_default().push_back(message);
        }
        Ok(found)
    }

    /// Sends the client's reply to a command of the server, with the id that the server has given
    /// the command now.
    fn answer(&mut self, record: &Record, message: &Decoded) -> io::Result<Vec<Difference>> {
        let commands = self.commands.get_mut(&message.id());
        let Some(command) = commands.and_then(VecDeque::pop_front) else { return Ok(Vec::new()) };
        let mut reply = record.body.clone();
        reply[..2].copy_from_slice(&command.id.to_le_bytes());
        let sent = self.link.send(command.is_twin, &reply, &[]);
        self.sent(sent, &self.about(message))
    }

    /// Returns the difference of a message that cannot be sent.
    fn sent(&mut self, sent: Result<(), Stop>, about: &About) -> io::Result<Vec<Difference>> {
        let Err(stop) = sent else { return Ok(Vec::new()) };
        self.is_over = true;
        Ok(self.differences(about, [What::of(stop, What::Untaken)?]))
    }

    /// Compares a message of the log with the one that the server sends.
    fn expect(&mut self, record: &Record) -> io::Result<Vec<Difference>> {
        let expected = message::decode(&record.body);
        let request = expected.is_reply().then(|| self.request(expected.id())).flatten();
        let about = request.as_ref().unwrap_or(&expected);
        let is_wanted = |message: &Decoded| {
            message.is_reply() == expected.is_reply()
                && (!message.is_reply() || message.id() == expected.id())
        };
        let (arrived, is_twin) = match self.link.wait(is_wanted) {
            Ok(arrived) => arrived,
            Err(stop) => return self.missing(stop, &expected, about),
        };
        let descriptors: Vec<_> = arrived.fds.iter().map(Descriptor::of).collect();
        let found = if self.is_ignored(about) {
            Vec::new()
        } else {
            let server = (&arrived.message, &descriptors[..]);
            compare((&expected, &record.descriptors), server, self.ignored)
        };
        let found = self.differences(&self.about(about), found);
        self.keep(&expected, arrived, is_twin);
        Ok(found)
    }

    /// Returns the difference of a message that does not arrive. Without a reply the play is over:
    /// those that follow it would not arrive either. Without a command it is not.
    fn missing(
        &mut self,
        stop: Stop,
        expected: &Decoded,
        about: &Decoded,
    ) -> io::Result<Vec<Difference>> {
        self.is_over = expected.is_reply() || !matches!(stop, Stop::Late);
        let other = expected.is_reply().then(|| self.link.take(|_| true)).flatten();
        let other = other.map(|(other, _)| self.name(&other.message));
        let what = What::of(stop, What::Missing { server: other })?;
        Ok(self.differences(&self.about(about), [what]))
    }

    /// Keeps what a message of the server is needed for: its id, or the second socket.
    fn keep(&mut self, expected: &Decoded, arrived: Arrived, is_twin: bool) {
        let Arrived { message, fds, .. } = arrived;
        if !message.is_reply() {
            if !message.header.no_reply() {
                let command = Incoming { id: message.id(), is_twin };
                self.commands.entry(expected.id()).or_default().push_back(command);
            }
        } else if message.command().0 == u16::from(Command::Version) && !self.link.has_twin() {
            let mut fds = fds.into_iter();
            if let Some(socket) = fds.find(|fd| Descriptor::of(fd) == Descriptor::Socket) {
                self.link.set_twin(socket.into());
            }
        }
    }

    /// Takes the client's command with an id.
    fn request(&mut self, id: u16) -> Option<Decoded> {
        self.requests.get_mut(&id)?.pop_front()
    }

    fn close(&mut self) -> io::Result<Vec<Difference>> {
        let marked = self.link.mark();
        let found = self.sent(marked, &About::other("the end"))?;
        self.link.close();
        Ok(found)
    }

    /// Expects the server to close the connection.
    fn expect_end(&mut self) -> io::Result<Vec<Difference>> {
        self.is_over = true;
        match self.link.wait(|_| false) {
            Ok(_) | Err(Stop::Closed | Stop::Unframed) => Ok(Vec::new()),
            Err(stop) => {
                Ok(self.differences(&About::other("the end"), [What::of(stop, What::Open)?]))
            }
        }
    }

    fn is_ignored(&self, message: &Decoded) -> bool {
        self.ignored.iter().any(|ignored| ignored.is_message(message))
    }

    fn about(&self, message: &Decoded) -> About {
        About::message(message, self.registers)
    }

    /// Returns what a message is called that has arrived in place of another one.
    fn name(&self, message: &Decoded) -> String {
        let about = self.about(message);
        if message.is_reply() {
            format!("a reply to {about}, of id {}", message.id())
        } else {
            about.to_string()
        }
    }

    fn differences(&self, about: &About, found: impl IntoIterator<Item = What>) -> Vec<Difference> {
        let (number, time) = (self.outcome.messages, self.time);
        let difference = |what| Difference { number, time, about: about.clone(), what };
        found.into_iter().map(difference).collect()
    }
}
