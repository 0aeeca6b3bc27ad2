//! A message as a line of text or JSON.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;
use vfio_user::protocol::Errno;

use crate::descriptor::Descriptor;
use crate::log::{Route, Sender};
use crate::message::{Decoded, Fields};

/// A message, and what is known of its way.
pub(super) struct Line<'a> {
    pub(super) time: Duration,
    pub(super) route: Route,
    pub(super) message: &'a Decoded,
    pub(super) descriptors: &'a [Descriptor],
    /// How long a reply took.
    pub(super) latency: Option<Duration>,
}

/// The colours of a line, as sequences for a terminal, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Colours {
    dim: &'static str,
    client: &'static str,
    server: &'static str,
    error: &'static str,
    reset: &'static str,
}

impl Colours {
    pub(super) const ANSI: Self = Colours {
        dim: "\x1b[2m",
        client: "\x1b[36m",
        server: "\x1b[32m",
        error: "\x1b[1;31m",
        reset: "\x1b[0m",
    };

    fn of(&self, sender: Sender) -> &'static str {
        match sender {
            Sender::Client => self.client,
            Sender::Server => self.server,
        }
    }
}

/// The start of every line: the time, and the way.
pub(super) struct Start(pub(super) Duration, pub(super) Route, pub(super) Colours);

impl Display for Start {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Start(time, route, colours) = self;
        let (dim, reset) = (colours.dim, colours.reset);
        write!(f, "{dim}{:>12.6}{reset} ", time.as_secs_f64())?;
        if route.connection != 1 {
            write!(f, "#{} ", route.connection)?;
        }
        let twin = if route.is_twin { "twin" } else { "" };
        let arrow = if route.from == Sender::Client { '>' } else { '<' };
        write!(f, "{}{twin}{arrow}{reset} ", colours.of(route.from))
    }
}

impl Line<'_> {
    pub(super) fn text(&self, colours: Colours) -> String {
        Text(self, colours).to_string()
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        let Line { time, route, message, .. } = self;
        serde_json::to_string(&Json {
            time: time.as_secs_f64(),
            connection: route.connection,
            from: route.from.to_string(),
            twin: route.is_twin,
            kind: if message.is_reply() { "reply" } else { "command" },
            id: message.id(),
            command: message.command().to_string(),
            posted: message.header.no_reply(),
            size: message.header.size.get(),
            errno: message.header.errno().filter(|_| message.is_reply()).map(Errno::get),
            error: message.header.errno().filter(|_| message.is_reply()).map(|e| e.to_string()),
            fields: &message.fields,
            descriptors: self.descriptors.iter().map(ToString::to_string).collect(),
            problem: message.problem.as_ref().map(ToString::to_string),
            latency: self.latency.map(|latency| latency.as_secs_f64()),
        })
    }
}

/// A line as text.
struct Text<'a>(&'a Line<'a>, Colours);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Text(Line { time, route, message, descriptors, latency }, colours) = self;
        let (error, dim, reset) = (colours.error, colours.dim, colours.reset);
        let (start, name) = (Start(*time, *route, *colours), colours.of(route.from));
        write!(f, "{start}{:>5} {name}{}{reset}", message.id(), message.command())?;
        match (message.is_reply(), message.header.errno()) {
            (true, Some(errno)) => write!(f, " {error}{errno}{reset}")?,
            (true, None) => f.write_str(" ok")?,
            (false, _) if message.header.no_reply() => f.write_str(" posted")?,
            (false, _) => {}
        }
        if !message.fields.0.is_empty() {
            write!(f, " {}", message.fields)?;
        }
        for (at, descriptor) in descriptors.iter().enumerate() {
            write!(f, "{}{descriptor}", if at == 0 { " fds=" } else { "," })?;
        }
        if let Some(problem) = &message.problem {
            write!(f, " {error}malformed: {problem}{reset}")?;
        }
        latency.map_or(Ok(()), |latency| write!(f, " {dim}{}{reset}", Latency(latency)))
    }
}

/// A duration in microseconds or, if it is long, in milliseconds.
struct Latency(Duration);

impl Display for Latency {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.as_micros() {
            micros @ ..10_000 => write!(f, "{micros} µs"),
            micros => write!(f, "{} ms", micros / 1000),
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    /// Seconds.
    time: f64,
    connection: u32,
    from: String,
    twin: bool,
    kind: &'static str,
    id: u16,
    command: String,
    posted: bool,
    size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    fields: &'a Fields,
    descriptors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<f64>,
}
