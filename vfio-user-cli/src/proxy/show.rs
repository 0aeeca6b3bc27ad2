//! Prints what passes.

use std::io;
use std::time::Duration;

use serde_json::json;

use super::filter::Filter;
use super::line::{Colours, Line, Start};
use super::pending::{Pending, Request};
use super::printer::Printer;
use crate::description::Description;
use crate::descriptor::Descriptor;
use crate::log::Route;
use crate::message::{self, Decoded};

/// Prints messages, one a line, whenever the terminal takes them.
#[derive(Debug)]
pub(super) struct Show {
    pub(super) filter: Filter,
    pub(super) json: bool,
    pub(super) colours: Colours,
    pub(super) registers: Option<Description>,
    pub(super) pending: Pending,
    pub(super) printer: Printer,
}

impl Show {
    /// Prints a message, unless the filter excludes it.
    pub(super) fn message(
        &mut self,
        time: Duration,
        route: Route,
        bytes: &[u8],
        descriptors: &[Descriptor],
    ) -> io::Result<()> {
        let mut message = message::decode(bytes);
        if let Some(registers) = &self.registers {
            registers.name_registers(&mut message.fields);
        }
        let request =
            if message.is_reply() { self.pending.take(route, message.id()) } else { None };
        let is_accepted = self.filter.accepts(message.command())
            && match &request {
                Some(request) => request.is_shown,
                None => self.filter.accepts_message(&message),
            };
        let latency = request.as_ref().map(|request| time.saturating_sub(request.time));
        let line = Line { time, route, message: &message, descriptors, latency };
        let is_shown = is_accepted && (!self.filter.errors || is_error(&message));
        if is_shown {
            if let Some(request) = request.and_then(|request| request.line) {
                self.printer.print(&request);
            }
            self.printer.print(&self.format(&line)?);
        }
        if !message.is_reply() && !message.header.no_reply() {
            let is_kept = is_accepted && !is_shown;
            let line = if is_kept { Some(self.format(&line)?) } else { None };
            self.pending.push(route, message.id(), Request { time, is_shown: is_accepted, line });
        }
        Ok(())
    }

    /// Prints what happened beside the messages.
    pub(super) fn note(&self, time: Duration, route: Route, note: &str) {
        if self.json {
            let note = json!({
                "time": time.as_secs_f64(),
                "connection": route.connection,
                "from": route.from.to_string(),
                "twin": route.is_twin,
                "note": note,
            });
            return self.printer.print(&note.to_string());
        }
        self.printer.print(&format!("{}{note}", Start(time, route, self.colours)));
    }

    fn format(&self, line: &Line<'_>) -> io::Result<String> {
        Ok(if self.json { line.json()? } else { line.text(self.colours) })
    }
}

fn is_error(message: &Decoded) -> bool {
    message.problem.is_some() || message.is_reply() && message.header.errno().is_some()
}
