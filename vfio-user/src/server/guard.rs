//! Guarded calls of device code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tracing::warn;

use super::error::SessionError;
use super::watchdog::watched;
use crate::serving::while_serving;

/// Runs device code; a panic ends the session, but not the server.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, SessionError> {
    catch_unwind(AssertUnwindSafe(|| watched(|| while_serving(run))))
        .map_err(|_| SessionError::Panicked)
}

/// Logs, once a process, if no panic can be caught. The profile of a program applies to this crate
/// as well.
pub(super) fn check_unwinding() {
    static CHECKED: Once = Once::new();
    if cfg!(panic = "abort") {
        CHECKED.call_once(|| {
            warn!("built with `panic = \"abort\"`: a panic of one device ends all devices");
        });
    }
}
