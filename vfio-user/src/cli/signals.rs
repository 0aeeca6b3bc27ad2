//! SIGTERM and SIGINT end a device program in good order.

use std::thread;

use nix::sys::signal::{SigSet, Signal};
use tracing::info;

use crate::error::Result;
use crate::server::Shutdown;

/// Blocks the signals for this thread and those that it starts, and has a thread wait for them.
pub(super) fn shut_down_on_termination(shutdown: Shutdown) -> Result<()> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    signals.thread_block()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(signal) = signals.wait() else { return };
        info!(%signal, "shutting down");
        shutdown.shutdown();
        // A second one, from somebody who does not want to wait, ends the process at once.
        let _ = signals.thread_unblock();
        loop {
            thread::park();
        }
    })?;
    Ok(())
}
