//! What is wrong with a file.

use std::fmt::{self, Display, Formatter};

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Problem {
    line: Option<u32>,
    message: String,
}

impl Problem {
    /// A problem of a line.
    pub(super) fn at(line: u32, message: impl Into<String>) -> Self {
        Problem { line: Some(line), message: message.into() }
    }

    /// A problem of the whole file.
    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Problem { line: None, message: message.into() }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}
