//! What a replay prints.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::difference::Difference;
use super::player::Outcome;
use crate::error::Error;
use crate::log::Record;

/// Prints differences as they are found, and what was played.
pub(super) struct Report<'a> {
    log: &'a Path,
    /// The number of the connection that is played, and of the last one in the log.
    connection: u32,
    last: u32,
    /// Whether the log has the connection.
    is_there: bool,
    json: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(log: &'a Path, connection: u32, json: bool) -> Self {
        Report { log, connection, last: 0, is_there: false, json }
    }

    /// Whether a record is of the connection that is played.
    pub(super) fn sees(&mut self, record: &Record) -> bool {
        let is_it = record.route.connection == self.connection;
        self.is_there |= is_it;
        self.last = self.last.max(record.route.connection);
        is_it
    }

    pub(super) fn differences(&self, found: &[Difference]) -> Result<(), Error> {
        found.iter().try_for_each(|difference| self.print(difference, &difference.to_string()))
    }

    /// Prints what was played, and returns the exit code.
    pub(super) fn end(&self, outcome: Outcome) -> Result<ExitCode, Error> {
        let Outcome { messages, differences, files } = outcome;
        let (log, connection) = (self.log.to_owned(), self.connection);
        if !self.is_there {
            return Err(Error::NoConnection { log, connection });
        }
        let object = json!({
            "connection": connection,
            "messages": messages,
            "differences": differences,
            "empty_files": files,
        });
        self.print(&object, &self.text(outcome))?;
        Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn text(&self, outcome: Outcome) -> String {
        let Outcome { messages, differences, files } = outcome;
        let found = match differences {
            0 => "no difference".to_owned(),
            1 => "1 difference".to_owned(),
            more => format!("{more} differences"),
        };
        let of = match self.last {
            ..=1 => String::new(),
            last => format!(" in connection {} of {last}", self.connection),
        };
        let memory = match files {
            1.. if differences > 0 => {
                format!("\nmemory of the client was replaced by empty memory (files: {files})")
            }
            _ => String::new(),
        };
        format!("{}: {messages} messages, {found}{of}{memory}", self.log.display())
    }

    /// Prints a line: an object, or a text.
    fn print(&self, object: &impl Serialize, text: &str) -> Result<(), Error> {
        let line =
            if self.json { &serde_json::to_string(object).map_err(io::Error::from)? } else { text };
        Ok(writeln!(io::stdout(), "{line}")?)
    }
}
