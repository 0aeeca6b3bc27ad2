//! Signals to a device program: SIGTERM and SIGINT shut it down in order, SIGUSR1 prints what the
//! guest has accessed that has no model.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use tracing::{info, warn};

use crate::bus::BurndownHandle;
use crate::error::{Error, Result};
use crate::server::{Shutdown, SocketPath};

/// The burndown of the device that is served: of the last one that was constructed.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(Arc<Mutex<Option<BurndownHandle>>>);

impl Served {
    pub(super) fn set(&self, handle: BurndownHandle) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    fn print_burndown(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let burndown = handle.map(|handle| handle.read()).unwrap_or_default();
        let text = if burndown.is_empty() { "nothing".to_owned() } else { burndown.to_string() };
        let lines = text.lines().map(|line| format!("accessed without a model: {line}\n"));
        let lines: Vec<_> = lines.collect();
        // In one piece: other threads log. There is no reader if standard error is closed.
        let _ = io::stderr().write_all(lines.concat().as_bytes());
    }
}

/// Blocks the signals for this thread and the threads that it starts, and starts a thread that
/// waits for them. A second signal that ends the program ends it at once, and removes `socket`.
pub(super) fn handle(shutdown: Shutdown, socket: Option<SocketPath>, served: Served) -> Result<()> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1].into_iter().collect();
    signals.thread_block().map_err(Error::system)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Some(signal) = next_termination(&signals, &served) else { return };
        info!(%signal, "shutting down");
        shutdown.shutdown();
        let Some(signal) = next_termination(&signals, &served) else { return };
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

/// Waits for a signal that ends the program, and prints the burndown at each other one.
fn next_termination(signals: &SigSet, served: &Served) -> Option<Signal> {
    loop {
        match signals.wait().ok()? {
            Signal::SIGUSR1 => served.print_burndown(),
            signal => return Some(signal),
        }
    }
}
