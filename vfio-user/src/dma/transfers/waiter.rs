//! A thread that waits for a transfer.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Failure;

type Outcome = Result<Vec<u8>, Failure>;

/// The place where the waiting thread receives the result.
#[derive(Default)]
pub(super) struct Waiter {
    outcome: Mutex<Option<Outcome>>,
    change: Condvar,
}

impl Waiter {
    pub(super) fn complete(&self, result: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.change.notify_one();
    }

    /// Waits for the result, for at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Outcome> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.change.wait_timeout_while(outcome, timeout, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}
