//! What is printed: headings and lines below them.

use std::fmt::Display;
use std::io::{IsTerminal as _, stdout};

/// Starts a part.
pub(crate) fn heading(text: &str) {
    if stdout().is_terminal() {
        println!("\n\x1b[1m{text}\x1b[0m");
    } else {
        println!("\n{text}");
    }
}

/// A line of a part.
pub(crate) fn line(text: impl Display) {
    println!("  {text}");
}

/// A call, and what it returns.
pub(crate) fn call(call: &str, result: impl Display) {
    line(format_args!("{call:36} {result}"));
}
