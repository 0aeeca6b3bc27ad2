//! What a thread waits for: events, deadlines, and memory that guests write without a message.

use std::thread;
use std::time::{Duration, Instant};

use super::Reactor;
use crate::error::{Error, Result};
use crate::server::endpoint::Endpoint;
use crate::server::poller::Token;

/// Which devices check the memory that guests write without a message.
#[derive(Clone, Copy)]
pub(super) enum PollScope {
    /// Those whose time has come.
    Due,
    /// All, while the thread spins.
    All,
}

/// The interval at which devices are handed over that could not be before.
const ATTEMPTS: Duration = Duration::from_millis(1);

/// A time later than any check.
const FOR_EVER: Duration = Duration::from_secs(3600);

impl Reactor {
    /// Returns whether only one client's socket can wake this thread.
    pub(super) fn has_one_client_to_wait_for(&self) -> bool {
        let may_wait = |endpoint: &Endpoint| endpoint.may_wait(self.polled_at);
        let others_ask = || self.has_take_over() || self.can_grow();
        self.count == 1 && self.endpoints.iter().flatten().all(may_wait) && !others_ask()
    }

    /// Returns the maximum time to sleep, from `now` on; `None` is for ever.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        self.first_deadline().map(|time| time.saturating_duration_since(now))
    }

    pub(super) fn first_deadline(&self) -> Option<Instant> {
        let patience = || self.endpoints.iter().flatten().filter_map(Endpoint::patience).min();
        let patience = if self.ending { patience() } else { None };
        let attempt = self.successor.as_ref().map(|_| Instant::now() + ATTEMPTS);
        let times = [self.deadlines.first(), self.polls.first(), patience, attempt];
        times.into_iter().flatten().min()
    }

    /// Waits until a device has work: polls for a while, if allowed, and then sleeps. A sleep that
    /// ends only with an unchanged check of memory does not end the wait; a signal does.
    pub(super) fn wait_for_work(&mut self) -> Result<()> {
        let start = Instant::now();
        let (mut has_slept, mut happened) = (false, false);
        while !happened && !self.poller.is_interrupted() {
            let now = Instant::now();
            happened = if self.spin.is_over(now.duration_since(start)) {
                let timeout = self.timeout(now);
                has_slept |= timeout != Some(Duration::ZERO);
                self.wait(timeout, PollScope::Due)?
            } else {
                self.wait(Some(Duration::ZERO), PollScope::All)?
            };
            // A successor whose attempt is due ends the wait.
            happened |= !self.again.is_empty() || self.successor.is_some();
            if !happened && !has_slept {
                // The thread that this one waits for may share its processor.
                thread::yield_now();
            }
        }
        if has_slept {
            self.spin.slept(start.elapsed());
        }
        Ok(())
    }

    /// Waits, and notes which devices have work. Returns whether any event has happened.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, scope: PollScope) -> Result<bool> {
        let Reactor { poller, endpoints, now, .. } = self;
        let (mut is_notified, mut shutdown) = (false, false);
        let happened = poller
            .wait(timeout, |token| match token {
                Token::Queue => is_notified = true,
                Token::Shutdown => shutdown = true,
                Token::Alarm => {}
                Token::Endpoint(index, kind) => {
                    if let Some(endpoint) = endpoints.get_mut(index).and_then(Option::as_mut) {
                        endpoint.note(kind);
                        now.push(index);
                    }
                }
            })
            .map_err(Error::system)?;
        self.polled_at = Instant::now();
        if is_notified {
            self.apply_commands();
        }
        if shutdown {
            self.begin_to_end();
        }
        self.note_deadlines();
        self.note_changes(scope);
        Ok(happened > 0 || !self.now.is_empty())
    }

    fn note_deadlines(&mut self) {
        if self.ending {
            self.note_all();
        }
        if self.deadlines.first().is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(index) = self.deadlines.pop_due(now) {
            self.endpoints[index].iter_mut().for_each(Endpoint::note_deadline);
            self.now.push(index);
        }
    }

    /// Checks the memory that guests write without a message.
    fn note_changes(&mut self, scope: PollScope) {
        if self.polls.first().is_none() {
            return;
        }
        let now = Instant::now();
        let until = match scope {
            PollScope::Due => now,
            PollScope::All => now + FOR_EVER,
        };
        // Each of them once, because without a pause the next check is due already.
        for _ in 0..self.count {
            let Some(index) = self.polls.pop_due(until) else { break };
            let Some(endpoint) = &mut self.endpoints[index] else { continue };
            if endpoint.look() {
                self.now.push(index);
            } else {
                self.polls.set(index, endpoint.next_look());
            }
        }
    }

    /// Gives a turn to devices whose memory was given to other threads outside of a turn, to notice
    /// their requests from then on.
    pub(super) fn note_new_holders(&mut self) {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if endpoint.as_ref().is_some_and(Endpoint::has_new_holder) {
                self.now.push(index);
            }
        }
    }

    pub(super) fn note_all(&mut self) {
        (0..self.endpoints.len()).for_each(|index| self.now.push(index));
    }
}
