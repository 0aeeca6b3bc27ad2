//! One thread, and the devices that it serves.

mod succession;
mod waiting;

use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tracing::{error, warn};

use super::buffers::Buffers;
use super::end::ServerEnd;
use super::endpoint::{After, Endpoint, TurnContext};
use super::guard::check_unwinding;
use super::poller::{Interest, Poller, Token};
use super::registry::{Command, Registry, ThreadQueue};
use super::schedule::{Deadlines, ReadyQueue};
use super::served_id::ServedId;
use super::shutdown::Shutdown;
use super::slack::TimerSlack;
use super::spin::Spin;
use super::successor::Successor;
use super::take_over::TakeOver;
use super::watchdog::Watchdog;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::log_throttle::LogThrottle;
use waiting::PollScope;

/// Creates a device at one of the server's own sockets anew after a panic.
pub(super) type Own<'a> = dyn FnMut(ServedId) -> Result<Box<dyn Function>> + 'a;

/// One thread, and the devices that it serves. Each turn is one wait, and one turn for every device
/// that has work.
#[derive(Debug)]
pub(super) struct Reactor {
    queue: Arc<ThreadQueue>,
    /// The owners that can add devices, except the server while it is not running.
    registry: Weak<Registry>,
    not_counted: usize,
    shutdown: Shutdown,
    /// Whether the shutdown was noticed.
    ending: bool,
    poller: Poller,
    /// In a foreign loop: makes the poller ready at a deadline. Created at the start, because later
    /// a client may have used all descriptors.
    alarm: TimerFd,
    /// Whether the alarm is set.
    has_alarm: bool,
    endpoints: Vec<Option<Endpoint>>,
    /// The number of devices.
    count: usize,
    /// The devices that have work now: first those with new events, then those that did not finish
    /// in their last turn.
    now: ReadyQueue,
    again: ReadyQueue,
    deadlines: Deadlines,
    /// The time of its last check of all descriptors.
    polled_at: Instant,
    /// The times to check the memory that guests write without a message.
    polls: Deadlines,
    spin: Spin,
    buffers: Buffers,
    /// In a foreign loop, after the first turn: logs hooks that do not return.
    watchdog: Option<Arc<Watchdog>>,
    /// Counts failures to start it.
    watchdog_failures: LogThrottle,
    /// The first error that ended a device.
    failure: Option<Error>,
    take_over: Option<TakeOver>,
    /// Whether it has taken over, if there was something to take over.
    has_begun: bool,
    /// A program that waits until all devices can be handed over to it.
    successor: Option<Successor>,
}

impl Reactor {
    pub(super) fn new(shutdown: &Shutdown) -> Result<Self> {
        check_unwinding();
        let poller = Poller::new().map_err(Error::system)?;
        let queue = Arc::new(ThreadQueue::new()?);
        poller.add(queue.wake(), Token::Queue, Interest::Read).map_err(Error::system)?;
        poller.add(shutdown.wake(), Token::Shutdown, Interest::Read).map_err(Error::system)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let alarm = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(Error::system)?;
        poller.add(alarm.as_fd(), Token::Alarm, Interest::Read).map_err(Error::system)?;
        Ok(Reactor {
            queue,
            registry: Weak::new(),
            not_counted: 0,
            shutdown: shutdown.clone(),
            ending: false,
            poller,
            alarm,
            has_alarm: false,
            endpoints: Vec::new(),
            count: 0,
            now: ReadyQueue::default(),
            again: ReadyQueue::default(),
            deadlines: Deadlines::default(),
            polled_at: Instant::now(),
            polls: Deadlines::default(),
            spin: Spin::default(),
            buffers: Buffers::default(),
            watchdog: None,
            watchdog_failures: LogThrottle::default(),
            failure: None,
            take_over: None,
            has_begun: false,
            successor: None,
        })
    }

    /// Polls for work for up to `limit` before it sleeps.
    pub(super) fn spin(&mut self, limit: Duration) {
        self.spin = Spin::new(limit);
    }

    /// Takes the devices of another program over at the start, and hands them over to the next one.
    pub(super) fn take_over(&mut self, take_over: TakeOver) {
        self.take_over = Some(take_over);
    }

    /// Returns whether it hands its devices over.
    pub(super) fn has_take_over(&self) -> bool {
        self.take_over.is_some()
    }

    pub(super) fn queue(&self) -> &Arc<ThreadQueue> {
        &self.queue
    }

    /// Continues to serve as long as `registry` has owners besides `not_counted`.
    pub(super) fn follow(&mut self, registry: &Arc<Registry>, not_counted: usize) {
        self.registry = Arc::downgrade(registry);
        self.not_counted = not_counted;
    }

    /// Adds a device without a command.
    pub(super) fn add(&mut self, endpoint: Endpoint) {
        self.queue.add_one();
        self.take_in(endpoint);
    }

    fn take_in(&mut self, endpoint: Endpoint) {
        let index = self.endpoints.iter().position(Option::is_none).unwrap_or_else(|| {
            self.endpoints.push(None);
            self.endpoints.len() - 1
        });
        self.endpoints[index] = Some(endpoint);
        self.count += 1;
        self.again.push(index);
    }

    /// Serves until no device is left.
    ///
    /// # Errors
    ///
    /// The error of the system, or the first error that ended a device.
    pub(super) fn run(mut self, own: &mut Own<'_>) -> Result<ServerEnd> {
        let _slack = TimerSlack::reduce();
        let _watchdog = Watchdog::of_this_thread()?;
        self.ensure_begun()?;
        while self.is_needed() {
            self.step(own)?;
        }
        self.failure.take().map_or_else(|| Ok(self.end()), Err)
    }

    /// Returns how it has ended, once no device is left.
    pub(super) fn end(&self) -> ServerEnd {
        if self.take_over.as_ref().is_some_and(TakeOver::is_succeeded) {
            ServerEnd::HandedOver
        } else {
            ServerEnd::Finished
        }
    }

    /// Waits for work and does it.
    fn step(&mut self, own: &mut Own<'_>) -> Result<()> {
        self.poller.clear_interruption();
        if self.spin.is_off() && self.has_one_client_to_wait_for() {
            self.turn(own, true);
        } else {
            self.wait_for_work()?;
            self.turn(own, false);
            self.serve_successor();
        }
        Ok(())
    }

    /// As [`process`](Self::process), but waits for work first.
    pub(super) fn wait_and_process(&mut self, own: &mut Own<'_>) -> Result<bool> {
        self.ensure_watchdog();
        self.ensure_begun()?;
        self.step(own)?;
        self.outcome()
    }

    /// Returns whether a connection has been accepted that has not negotiated a version yet.
    pub(super) fn is_negotiating(&self) -> bool {
        self.endpoints.iter().flatten().any(Endpoint::is_negotiating)
    }

    /// Returns whether a signal has ended the last wait.
    pub(super) fn is_interrupted(&self) -> bool {
        self.poller.is_interrupted()
    }

    /// Does the current work, without waiting. Returns whether any device is left to serve.
    pub(super) fn process(&mut self, own: &mut Own<'_>) -> Result<bool> {
        self.ensure_watchdog();
        self.ensure_begun()?;
        self.wait(Some(Duration::ZERO), PollScope::Due)?;
        self.note_new_holders();
        self.turn(own, false);
        self.serve_successor();
        self.set_alarm()?;
        self.outcome()
    }

    /// Returns whether any device is left to serve.
    fn outcome(&mut self) -> Result<bool> {
        if self.is_needed() { Ok(true) } else { self.failure.take().map_or(Ok(false), Err) }
    }

    /// Watches the calling thread. Without a watchdog, devices are served as well.
    fn ensure_watchdog(&mut self) {
        if self.watchdog.as_ref().is_some_and(|watchdog| watchdog.is_of_this_thread()) {
            return;
        }
        match Watchdog::of_this_thread() {
            Ok(watchdog) => self.watchdog = Some(watchdog),
            Err(error) => {
                if let Some(count) = self.watchdog_failures.hit() {
                    warn!(%error, count, "the watchdog cannot start: hooks that do not return are not logged");
                }
            }
        }
    }

    /// Returns a descriptor that is readable when there is work, for a foreign loop.
    pub(super) fn poll_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }

    /// Returns whether there is a device, or could be one.
    fn is_needed(&self) -> bool {
        let is_succeeded = self.end() == ServerEnd::HandedOver;
        let may_grow = || !self.ending && !is_succeeded && self.can_grow();
        self.count > 0 || may_grow()
    }

    /// Returns whether a device can be added from outside.
    fn can_grow(&self) -> bool {
        let shared = self.registry.strong_count() > self.not_counted;
        // The last handle has sent a device before it was dropped, so check the queue after the
        // count.
        fence(Ordering::Acquire);
        shared || !self.queue.is_empty()
    }

    /// Gives every device a turn, to see that it is one of the last.
    fn begin_to_end(&mut self) {
        self.ending = true;
        self.poller.remove(self.shutdown.wake());
    }

    /// Executes the commands of handles.
    fn apply_commands(&mut self) {
        for command in self.queue.take() {
            match command {
                Command::Add(endpoint) => self.take_in(*endpoint),
                Command::Remove(device) => self.remove(device),
                Command::Disconnect(device) => self.disconnect(device),
                Command::HandOver(successor) => self.successor = Some(*successor),
            }
        }
    }

    fn remove(&mut self, device: ServedId) {
        if let Some(index) = self.index_of(device) {
            self.remove_device(index, Ok(()));
        }
    }

    /// Requests a disconnect, which the endpoint does at its next turn.
    fn disconnect(&mut self, device: ServedId) {
        if let Some(index) = self.index_of(device) {
            self.endpoints[index].iter_mut().for_each(Endpoint::disconnect);
            self.now.push(index);
        }
    }

    fn index_of(&self, device: ServedId) -> Option<usize> {
        let is_it = |endpoint: &Option<Endpoint>| {
            endpoint.as_ref().is_some_and(|endpoint| endpoint.id() == device)
        };
        self.endpoints.iter().position(is_it)
    }

    /// Runs one turn for every device that has work.
    fn turn(&mut self, own: &mut Own<'_>, wait: bool) {
        if wait {
            self.note_all();
        }
        while let Some(index) = self.again.pop() {
            self.now.push(index);
        }
        while let Some(index) = self.now.pop() {
            self.turn_of(index, own, wait);
        }
    }

    fn turn_of(&mut self, index: usize, own: &mut Own<'_>, wait: bool) {
        let Some(endpoint) = self.endpoints.get_mut(index).and_then(Option::as_mut) else { return };
        let mut turn = TurnContext {
            poller: &self.poller,
            shutdown: &self.shutdown,
            buffers: &mut self.buffers,
            alone: self.count == 1,
            wait,
            polled_at: self.polled_at,
        };
        let after = endpoint.turn(&mut turn, index);
        self.deadlines.set(index, endpoint.deadline());
        self.polls.set(index, endpoint.next_look());
        match after {
            After::Nothing => {}
            After::Turn => self.again.push(index),
            After::Panicked => self.rebuild(index, own),
            After::End(result) => self.remove_device(index, result),
        }
    }

    fn rebuild(&mut self, index: usize, own: &mut Own<'_>) {
        let Some(mut endpoint) = self.endpoints[index].take() else { return };
        endpoint.leave(&self.poller);
        let rebuilt = catch_unwind(AssertUnwindSafe(|| endpoint.rebuild(own)));
        let rebuilt = rebuilt.unwrap_or_else(|_| Err(Error::device("the factory panicked")));
        match rebuilt {
            Ok(endpoint) => {
                self.endpoints[index] = Some(endpoint);
                self.again.push(index);
            }
            Err(error) => self.forget(index, Err(error)),
        }
    }

    /// Removes a device.
    fn remove_device(&mut self, index: usize, result: Result<()>) {
        let Some(mut endpoint) = self.endpoints[index].take() else { return };
        endpoint.leave(&self.poller);
        let result = result.and(endpoint.on_removed());
        if catch_unwind(AssertUnwindSafe(|| drop(endpoint))).is_err() {
            error!("a device panicked while it was dropped");
        }
        self.forget(index, result);
    }

    fn forget(&mut self, index: usize, result: Result<()>) {
        self.deadlines.set(index, None);
        self.polls.set(index, None);
        self.count -= 1;
        self.queue.remove_one();
        if let Err(error) = result {
            error!(%error, "the server stops serving a device");
            self.failure.get_or_insert(error);
        }
    }

    /// Makes the poller ready when a turn is due.
    fn set_alarm(&mut self) -> Result<()> {
        let time = match self.first_deadline() {
            _ if !self.again.is_empty() => Some(Instant::now()),
            time => time,
        };
        match time {
            // Setting it replaces an earlier alarm.
            Some(time) => {
                let left = time.saturating_duration_since(Instant::now());
                let left = TimeSpec::from_duration(left.max(Duration::from_nanos(1)));
                self.alarm
                    .set(Expiration::OneShot(left), TimerSetTimeFlags::empty())
                    .map_err(Error::system)?;
                self.has_alarm = true;
            }
            None if self.has_alarm => {
                self.alarm.unset().map_err(Error::system)?;
                self.has_alarm = false;
            }
            None => {}
        }
        Ok(())
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        (0..self.endpoints.len()).for_each(|index| self.remove_device(index, Ok(())));
        self.queue.close();
    }
}
