//! Shuts a device program down in order on SIGTERM and SIGINT.

use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use tracing::{info, warn};

use crate::error::{Error, Result};
use crate::server::{Shutdown, SocketPath};

/// Blocks the signals for this thread and the threads that it starts, and starts a thread that
/// waits for them. A second signal ends the process at once, and removes `socket`.
pub(super) fn shut_down_on_termination(
    shutdown: Shutdown,
    socket: Option<SocketPath>,
) -> Result<()> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    signals.thread_block().map_err(Error::system)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(signal) = signals.wait() else { return };
        info!(%signal, "shutting down");
        shutdown.shutdown();
        let Ok(signal) = signals.wait() else { return };
        warn!(%signal, "second signal: exiting at once, though a hook has not returned");
        if let Some(socket) = socket {
            socket.remove();
        }
        // Restores the signal's default action: it ends the process.
        let _ = signals.thread_unblock();
        let _ = raise(signal);
    })?;
    Ok(())
}
