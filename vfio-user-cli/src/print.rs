//! Prints results, as text or as JSON.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::Error;

/// Prints a value as JSON or, as it prints itself, as text.
pub(crate) fn print(json: bool, value: &(impl Serialize + ToString)) -> Result<(), Error> {
    let text = if json {
        serde_json::to_string_pretty(value).map_err(io::Error::from)? + "\n"
    } else {
        value.to_string()
    };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Prints a value as a line of JSON or, as it prints itself, as a line of text.
pub(crate) fn line(json: bool, value: &(impl Serialize + ToString)) -> Result<(), Error> {
    let text = if json {
        serde_json::to_string(value).map_err(io::Error::from)?
    } else {
        value.to_string()
    };
    Ok(io::stdout().write_all((text + "\n").as_bytes())?)
}
