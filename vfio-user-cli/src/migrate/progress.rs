//! The progress of a migration on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use vfio_user::client::MigrationProgress;

/// A progress bar on standard error; draws nothing if that is not a terminal.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::no_length();
        let template = "{msg:12} [{bar:30}] {bytes} of {total_bytes} at {bytes_per_sec}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(100));
        Bar { bar }
    }

    pub(super) fn show(&self, progress: MigrationProgress) {
        match progress {
            MigrationProgress::Round { number, estimate } => {
                let name =
                    number.map_or_else(|| "stopped".to_owned(), |number| format!("round {number}"));
                self.bar.set_message(name);
                self.bar.set_length(estimate);
                self.bar.set_position(0);
            }
            MigrationProgress::Copied(bytes) => self.copied(bytes),
            _ => {}
        }
    }

    fn copied(&self, bytes: u64) {
        self.bar.inc(bytes);
        // The length is an estimate.
        if self.bar.length() < Some(self.bar.position()) {
            self.bar.set_length(self.bar.position());
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
