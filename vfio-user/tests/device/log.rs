//! A log that a test reads.

use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, subscriber};

/// Logs that no test reads. While there is one log alone, the first thread that reaches a message
/// decides for all threads whether it is logged, and the thread of another test has no log.
static OTHERS: LazyLock<[Dispatch; 2]> = LazyLock::new(|| {
    [0, 1].map(|_| Dispatch::new(Log { most: Level::ERROR, lines: Arc::default() }))
});

/// Returns the messages up to a level while `run` runs, each with its level.
pub(crate) fn leveled(most: Level, run: impl FnOnce()) -> Vec<(Level, String)> {
    LazyLock::force(&OTHERS);
    let lines = Arc::default();
    let log = Log { most, lines: Arc::clone(&lines) };
    subscriber::with_default(log, run);
    std::mem::take(&mut *lines.lock().unwrap())
}

/// Returns the messages up to a level while `run` runs.
pub(crate) fn logged(most: Level, run: impl FnOnce()) -> Vec<String> {
    leveled(most, run).into_iter().map(|(_, line)| line).collect()
}

/// Keeps the messages up to a level.
struct Log {
    most: Level,
    lines: Arc<Mutex<Vec<(Level, String)>>>,
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").expect("a string takes everything");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && metadata.target().starts_with("vfio_user")
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.lines.lock().unwrap().push((*event.metadata().level(), message.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
