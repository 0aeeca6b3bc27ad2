//! Handles SIGINT and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, process, thread};

use nix::sys::signal::{SigSet, Signal};

/// Whether SIGINT or SIGTERM has arrived. The second one ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// Waits for the signals on a thread. Threads that exist already still receive them.
    pub(crate) fn watch() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        let interrupted = Interrupted(Arc::default());
        let watched = interrupted.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            while let Ok(signal) = signals.wait() {
                if watched.0.swap(true, Ordering::Relaxed) {
                    process::exit(128 + signal as i32);
                }
            }
        })?;
        Ok(interrupted)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
