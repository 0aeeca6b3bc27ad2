//! The precision with which the kernel ends the waits of a thread.

use std::time::Duration;

use nix::sys::prctl::{get_timerslack, set_timerslack};

/// Makes waits of this thread end within a microsecond of their time, until it is dropped. By
/// default the kernel may be 50 microseconds late, to end several waits at once
/// (`PR_SET_TIMERSLACK` of `prctl(2)`). Threads that this one starts meanwhile inherit the setting.
#[derive(Debug)]
pub(super) struct TimerSlack {
    before: Option<i32>,
}

impl TimerSlack {
    const REDUCED: Duration = Duration::from_micros(1);

    /// If the kernel refuses, waits end later, which does no harm.
    pub(super) fn reduce() -> Self {
        let before = get_timerslack().ok();
        set(Self::REDUCED.subsec_nanos().into());
        TimerSlack { before }
    }
}

impl Drop for TimerSlack {
    fn drop(&mut self) {
        if let Some(Ok(before)) = self.before.map(u64::try_from) {
            set(before);
        }
    }
}

fn set(nanoseconds: u64) {
    let _ = set_timerslack(nanoseconds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_back_the_slack_that_it_had() {
        set_timerslack(12_345).unwrap();
        let slack = TimerSlack::reduce();
        assert_eq!(get_timerslack(), Ok(1_000));
        drop(slack);
        assert_eq!(get_timerslack(), Ok(12_345));
    }
}
