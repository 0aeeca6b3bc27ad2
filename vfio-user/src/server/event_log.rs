//! Log lines of the server that a peer can cause, without limit.
//!
//! The server logs nothing else above DEBUG that a peer causes. Each line has its own counter here,
//! and is logged the first time, and then whenever the count has doubled.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::error::SessionError;
use crate::log_throttle::LogThrottle;

/// The counters of a device's log lines. They survive a replacement of the device after a panic.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    connected: LogThrottle,
    left: LogThrottle,
    dropped: LogThrottle,
    refused: LogThrottle,
    exhausted: LogThrottle,
    panicked: LogThrottle,
    kept: LogThrottle,
    slow: LogThrottle,
    twin: LogThrottle,
}

impl EventLog {
    pub(super) fn connected(&self) {
        if let Some(count) = self.connected.hit() {
            info!(count, "client connected");
        }
    }

    pub(super) fn left(&self) {
        if let Some(count) = self.left.hit() {
            info!(count, "client disconnected");
        }
    }

    /// Logs that a client, or a connection without a version, was dropped.
    pub(super) fn dropped(&self, error: &SessionError) {
        if matches!(error, SessionError::Left) {
            debug!("a connection was closed before it sent a version");
        } else if let Some(count) = self.dropped.hit() {
            warn!(%error, count, "the server closes a connection");
        }
    }

    pub(super) fn refused(&self) {
        if let Some(count) = self.refused.hit() {
            warn!(count, "the server refuses a connection: a client is attached");
        }
    }

    pub(super) fn exhausted(&self) {
        if let Some(count) = self.exhausted.hit() {
            warn!(count, "a client waits: this process may open no more descriptors");
        }
    }

    pub(super) fn panicked(&self) {
        if let Some(count) = self.panicked.hit() {
            error!(count, "a hook panicked; the device is replaced");
        }
    }

    /// Logs that a request fails because the device still holds memory.
    pub(super) fn kept(&self, command: u16, waited: Duration) {
        if let Some(count) = self.kept.hit() {
            warn!(
                command,
                ?waited,
                count,
                "the device did not release memory in time; the request fails"
            );
        }
    }

    pub(super) fn slow(&self, command: u16, waited: Duration) {
        if let Some(count) = self.slow.hit() {
            warn!(command, ?waited, count, "the device was slow to release memory");
        }
    }

    pub(super) fn twin(&self, error: &SessionError) {
        if let Some(count) = self.twin.hit() {
            warn!(%error, count, "the twin socket failed; DMA by messages is disabled");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// This test fails if a log line is added elsewhere.
    #[test]
    fn no_other_file_of_the_server_logs_what_a_peer_causes() {
        // What ends a device, or the whole server; a line at the start; and a line with a counter
        // for the process.
        let allowed = ["event_log.rs", "reactor.rs", "guard.rs", "dma.rs", "watchdog.rs"];
        // Of a take-over, by the server's own user.
        let take_over = ["adopt.rs", "give.rs", "successors.rs", "hand_over.rs", "succession.rs"];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let logs = ["warn!(", "info!(", "error!("].iter().any(|line| text.contains(line));
                let may_log = allowed.iter().chain(&take_over).any(|allowed| *allowed == name);
                assert!(!logs || may_log, "{name} logs past `EventLog`");
            }
        }
    }
}
