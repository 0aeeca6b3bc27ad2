//! What somebody sees who waits.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; nothing if that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::no_length();
        let template = "{msg:12} [{bar:30}] {bytes} of {total_bytes} at {bytes_per_sec}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress { bar }
    }

    /// Something new is moved, of as many bytes as it seems.
    pub(super) fn begin(&self, what: String, bytes: u64) {
        self.bar.set_message(what);
        self.bar.set_length(bytes);
        self.bar.set_position(0);
    }

    pub(super) fn moved(&self, bytes: u64) {
        self.bar.inc(bytes);
        // It was a guess.
        if self.bar.length() < Some(self.bar.position()) {
            self.bar.set_length(self.bar.position());
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
