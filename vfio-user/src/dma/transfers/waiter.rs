//! A thread that waits for a transfer.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Failure;

type Told = Result<Vec<u8>, Failure>;

/// The place where the waiting thread receives the result.
#[derive(Default)]
pub(super) struct Waiter {
    told: Mutex<Option<Told>>,
    change: Condvar,
}

impl Waiter {
    pub(super) fn tell(&self, result: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.change.notify_one();
    }

    /// Waits for the result, for at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.change.wait_timeout_while(told, timeout, |told| told.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}
