//! The rounds of a migration, as bars on a terminal and as lines elsewhere.

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use vfio_user::client::MigrationProgress;

use crate::screen::line;

/// The rounds of a migration.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    current: Option<ProgressBar>,
}

impl Rounds {
    pub(crate) fn show(&mut self, progress: MigrationProgress) {
        match (progress, &self.current) {
            (MigrationProgress::Round { number, estimate }, _) => {
                self.finish();
                let name = number.map_or("stopped".to_owned(), |number| format!("round {number}"));
                self.current = Some(bar(name, estimate));
            }
            (MigrationProgress::Copied(bytes), Some(bar)) => {
                bar.inc(bytes);
                // The length is an estimate.
                bar.set_length(bar.position().max(bar.length().unwrap_or(0)));
            }
            _ => {}
        }
    }

    /// Leaves the bar of the last round where it is.
    pub(crate) fn finish(&mut self) {
        let Some(bar) = self.current.take() else { return };
        bar.set_length(bar.position());
        bar.finish();
        if bar.is_hidden() {
            line(format_args!("{:8} {}", bar.message(), HumanBytes(bar.position())));
        }
    }
}

fn bar(name: String, estimate: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(estimate), ProgressDrawTarget::stdout());
    let template = "  {msg:8} [{bar:40}] {bytes:>10}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_message(name)
}
