//! Signals to a device program: SIGTERM and SIGINT shut it down in order, SIGUSR1 prints what the
//! guest has accessed that has no model.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use tracing::{info, warn};

use super::sandbox::ThreadConfinement;
use crate::bus::BurndownHandle;
use crate::error::{Error, Result};
use crate::listening::SocketPath;
use crate::server::Shutdown;

/// The burndowns of the devices that are served: of each the last one that was constructed.
#[derive(Clone, Debug)]
pub(super) struct Burndowns(Arc<Mutex<Vec<Burndown>>>);

/// The name of a device, and what its guest has accessed without a model.
#[derive(Clone, Debug)]
struct Burndown {
    label: String,
    handle: Option<BurndownHandle>,
}

impl Burndowns {
    /// Expects a device for each label.
    pub(super) fn new(labels: impl Iterator<Item = String>) -> Self {
        let burndowns = labels.map(|label| Burndown { label, handle: None });
        Burndowns(Arc::new(Mutex::new(burndowns.collect())))
    }

    pub(super) fn set(&self, index: usize, handle: BurndownHandle) {
        self.lock()[index].handle = Some(handle);
    }

    fn print(&self) {
        let burndowns = self.lock().clone();
        let lines: Vec<_> =
            burndowns.iter().flat_map(|burndown| burndown.lines(burndowns.len() > 1)).collect();
        // In one piece: other threads log. There is no reader if standard error is closed.
        let _ = io::stderr().write_all(lines.concat().as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Burndown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Burndown {
    /// Returns what is printed; of one of several devices, with its name.
    fn lines(&self, is_named: bool) -> Vec<String> {
        let burndown = self.handle.as_ref().map(BurndownHandle::read).unwrap_or_default();
        let text = if burndown.is_empty() { "nothing".to_owned() } else { burndown.to_string() };
        let name = if is_named { format!("{}: ", self.label) } else { String::new() };
        text.lines().map(|line| format!("{name}accessed without a model: {line}\n")).collect()
    }
}

/// Blocks the signals for this thread and the threads that it starts, and starts a thread that
/// waits for them. A second signal that ends the program ends it at once, and removes `sockets`.
pub(super) fn handle(
    shutdown: Shutdown,
    sockets: Vec<SocketPath>,
    burndowns: Burndowns,
    confinement: ThreadConfinement,
) -> Result<()> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1].into_iter().collect();
    signals.thread_block().map_err(Error::system)?;
    let (report, reported) = mpsc::sync_channel(1);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let confined = confinement.enter();
        let is_confined = confined.is_ok();
        // The other end waits.
        let _ = report.send(confined);
        if !is_confined {
            return;
        }
        let Some(signal) = next_termination(&signals, &burndowns) else { return };
        info!(%signal, "shutting down");
        shutdown.shutdown();
        let Some(signal) = next_termination(&signals, &burndowns) else { return };
        warn!(%signal, "second signal: exiting at once, though a hook has not returned");
        sockets.iter().for_each(SocketPath::remove);
        // Restores the signal's default action: it ends the process.
        let _ = signals.thread_unblock();
        let _ = raise(signal);
    })?;
    // Once the process is confined, it cannot confine a thread any more.
    Ok(reported.recv().unwrap_or(Ok(()))?)
}

/// Waits for a signal that ends the program, and prints the burndowns at each other one.
fn next_termination(signals: &SigSet, burndowns: &Burndowns) -> Option<Signal> {
    loop {
        match signals.wait().ok()? {
            Signal::SIGUSR1 => burndowns.print(),
            signal => return Some(signal),
        }
    }
}
