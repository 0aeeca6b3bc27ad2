//! Receives what passes the proxy: prints it, and writes it to a log.

use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::show::Show;
use crate::descriptor::Descriptor;
use crate::log::{Kind, Record, Route, Sender, Writer};

/// What messages are shown to, of all connections.
#[derive(Debug)]
pub(super) struct Tap {
    start: Instant,
    sinks: Mutex<Sinks>,
}

#[derive(Debug)]
struct Sinks {
    show: Option<Show>,
    log: Option<Writer<File>>,
}

impl Tap {
    pub(super) fn new(show: Option<Show>, log: Option<Writer<File>>) -> Self {
        Tap { start: Instant::now(), sinks: Mutex::new(Sinks { show, log }) }
    }

    pub(super) fn connected(&self, connection: u32) {
        let route = Route { connection, is_twin: false, from: Sender::Client };
        let (time, mut sinks) = self.now();
        sinks.note(time, route, "connected");
        sinks.log(|| record(time, Kind::Connected, route, &[], &[]));
    }

    pub(super) fn message(&self, route: Route, bytes: &[u8], descriptors: &[Descriptor]) {
        let (time, mut sinks) = self.now();
        sinks.message(time, route, bytes, descriptors);
        sinks.log(|| record(time, Kind::Message, route, descriptors, bytes));
    }

    /// A header with a size that no message has.
    pub(super) fn broken(&self, route: Route, bytes: &[u8], size: u32) {
        let (time, mut sinks) = self.now();
        let note = format!("malformed: a message of {size} bytes; later bytes are not decoded");
        sinks.note(time, route, &note);
        sinks.log(|| record(time, Kind::Unframed, route, &[], bytes));
    }

    /// Bytes that are no message: after a broken header, or before the end.
    pub(super) fn unframed(&self, route: Route, bytes: &[u8]) {
        let (time, mut sinks) = self.now();
        let note = format!("malformed: {} bytes of no message", bytes.len());
        sinks.note(time, route, &note);
        for bytes in bytes.chunks(vfio_user::protocol::DRAIN_LIMIT) {
            sinks.log(|| record(time, Kind::Unframed, route, &[], bytes));
        }
    }

    pub(super) fn end(&self, route: Route) {
        let (time, mut sinks) = self.now();
        if let Some(show) = &mut sinks.show {
            show.pending.forget(route.connection);
        }
        sinks.note(time, route, "closed");
        sinks.log(|| record(time, Kind::End, route, &[], &[]));
    }

    /// Nothing can be forwarded any more.
    pub(super) fn failed(&self, route: Route, error: &io::Error) {
        let (time, sinks) = self.now();
        sinks.note(time, route, &format!("failed: {error}"));
    }

    /// Waits until everything is printed, but not for a terminal that takes nothing.
    pub(super) fn finish(&self) {
        let printer = self.now().1.show.as_ref().map(|show| show.printer.clone());
        if let Some(printer) = printer {
            printer.finish();
        }
    }

    fn now(&self) -> (Duration, MutexGuard<'_, Sinks>) {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        (self.start.elapsed(), sinks)
    }
}

impl Sinks {
    fn message(&mut self, time: Duration, route: Route, bytes: &[u8], fds: &[Descriptor]) {
        if let Some(Err(error)) =
            self.show.as_mut().map(|show| show.message(time, route, bytes, fds))
        {
            eprintln!("vfu: nothing more is printed: {error}");
            self.show = None;
        }
    }

    fn note(&self, time: Duration, route: Route, note: &str) {
        if let Some(show) = &self.show {
            show.note(time, route, note);
        }
    }

    /// Writes to the log, until that fails.
    fn log(&mut self, record: impl FnOnce() -> Record) {
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.write(&record())) {
            eprintln!("vfu: the log ends here: {error}");
            self.log = None;
        }
    }
}

fn record(
    time: Duration,
    kind: Kind,
    route: Route,
    descriptors: &[Descriptor],
    bytes: &[u8],
) -> Record {
    Record { time, kind, route, descriptors: descriptors.to_vec(), body: bytes.to_vec() }
}
