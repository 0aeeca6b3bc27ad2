//! Waiting for descriptors, to the nanosecond.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, ppoll};
use nix::sys::time::TimeSpec;

/// A duration longer than any wait, and short enough for every clock.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Waits until one of the descriptors is ready, for at most `timeout`, and not for less if none is.
/// Returns whether one is ready.
///
/// # Errors
///
/// Those of `ppoll(2)`; an interrupted call is repeated.
pub(crate) fn wait_for(fds: &mut [PollFd<'_>], timeout: Duration) -> nix::Result<bool> {
    let start = Instant::now();
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        match ppoll(fds, Some(time_spec(left)), None) {
            Err(Errno::EINTR) => {}
            waited => return Ok(waited? > 0),
        }
    }
}

/// Converts a timeout for the kernel, which refuses some that are too long.
pub(crate) fn time_spec(timeout: Duration) -> TimeSpec {
    TimeSpec::from_duration(timeout.min(FOR_EVER))
}
