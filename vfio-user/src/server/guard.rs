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
    if let Some(warning) = warning(cfg!(panic = "abort")) {
        CHECKED.call_once(|| warn!("{warning}"));
    }
}

/// Returns what is wrong with a program whose panics end it, or not.
fn warning(aborts: bool) -> Option<&'static str> {
    aborts.then_some("built with `panic = \"abort\"`: a panic of one device ends all devices")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_warned_of_panics_that_cannot_be_caught_and_of_no_others() {
        assert!(warning(true).is_some_and(|text| text.contains("ends all devices")));
        assert_eq!(warning(false), None);
        // Tests need unwinding.
        assert_eq!(warning(cfg!(panic = "abort")), None);
    }
}
