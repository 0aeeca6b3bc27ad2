//! Prints lines in a thread of its own: what is forwarded does not wait for a slow terminal.

use std::io::{self, Write as _};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

/// The most bytes that wait to be printed.
const MOST: usize = 8 << 20;
/// The bytes that are printed at once.
const PIECE: usize = 16 << 10;
/// The time to print a piece at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints lines to the standard output.
#[derive(Clone, Debug)]
pub(super) struct Printer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Whether lines are objects.
    json: bool,
}

#[derive(Debug, Default)]
struct Queue {
    /// Whole lines.
    text: String,
    /// The lines that were left out after `text`.
    missing: u64,
    /// The pieces that are printed.
    printed: u64,
    is_finished: bool,
    /// Whether the thread prints nothing more.
    has_ended: bool,
}

impl Printer {
    pub(super) fn start(json: bool) -> io::Result<Self> {
        let printer = Self::new(json);
        let shared = Arc::clone(&printer.0);
        thread::Builder::new().name("printer".to_owned()).spawn(move || shared.run())?;
        Ok(printer)
    }

    fn new(json: bool) -> Self {
        let queue = Mutex::new(Queue::default());
        Printer(Arc::new(Shared { queue, changed: Condvar::new(), json }))
    }

    /// Prints a line later. It is left out, and counted, if too much waits.
    pub(super) fn print(&self, line: &str) {
        let mut queue = self.0.queue();
        if queue.has_ended {
            return;
        }
        if queue.missing > 0 || queue.text.len() + line.len() >= MOST {
            queue.missing += 1;
        } else {
            queue.text.push_str(line);
            queue.text.push('\n');
        }
        self.0.changed.notify_all();
    }

    /// Waits until everything is printed, but not for a terminal that takes nothing.
    pub(super) fn finish(&self) {
        let mut queue = self.0.queue();
        queue.is_finished = true;
        self.0.changed.notify_all();
        loop {
            let before = queue.printed;
            let is_stuck = |queue: &mut Queue| !queue.has_ended && queue.printed == before;
            let waited = self.0.changed.wait_timeout_while(queue, PATIENCE, is_stuck);
            let (changed, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = changed;
            if queue.has_ended || timeout.timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    fn run(&self) {
        if let Err(error) = self.print_all() {
            eprintln!("vfu: nothing more is printed: {error}");
        }
        self.queue().has_ended = true;
        self.changed.notify_all();
    }

    fn print_all(&self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        while let Some((text, missing)) = self.next() {
            for piece in text.as_bytes().chunks(PIECE) {
                output.write_all(piece)?;
                self.queue().printed += 1;
                self.changed.notify_all();
            }
            if missing > 0 {
                writeln!(output, "{}", self.note(missing))?;
            }
            output.flush()?;
        }
        Ok(())
    }

    /// Waits for something to print; `None` at the end.
    fn next(&self) -> Option<(String, u64)> {
        let is_idle =
            |queue: &mut Queue| queue.text.is_empty() && queue.missing == 0 && !queue.is_finished;
        let queue = self.changed.wait_while(self.queue(), is_idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        let next = (mem::take(&mut queue.text), mem::take(&mut queue.missing));
        (!next.0.is_empty() || next.1 > 0).then_some(next)
    }

    fn note(&self, missing: u64) -> String {
        let note = format!("{missing} lines are left out: the output is slower than the messages");
        if self.json { json!({ "note": note }).to_string() } else { note }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_left_out_are_counted_and_later_ones_printed() {
        let printer = Printer::new(true);
        printer.print(&"x".repeat(MOST - 2));
        printer.print("too much");
        printer.print("");
        let Some((text, 2)) = printer.0.next() else { panic!("two lines are left out") };
        assert_eq!(text.len(), MOST - 1);
        assert_eq!(
            printer.0.note(2),
            r#"{"note":"2 lines are left out: the output is slower than the messages"}"#
        );
        printer.print("again");
        assert_eq!(printer.0.next(), Some(("again\n".to_owned(), 0)));
    }
}
