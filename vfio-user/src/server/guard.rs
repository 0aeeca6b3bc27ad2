//! Guarded calls of device code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::SessionError;
use super::watchdog::watched;
use crate::serving::while_serving;

/// Runs device code; a panic ends the session, but not the server.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, SessionError> {
    catch_unwind(AssertUnwindSafe(|| watched(|| while_serving(run))))
        .map_err(|_| SessionError::Panicked)
}
