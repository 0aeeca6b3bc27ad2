//! The time that a device spends in its hooks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::model::Descriptor;

/// What has hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hooked {
    /// A register, by the number that its elements share.
    Register(usize),
    /// A method of the device, by its index.
    Method(usize),
    Timers,
    Memories,
}

/// The number of calls, and the time in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HookTime {
    pub(super) calls: u64,
    pub(super) nanoseconds: u64,
    pub(super) longest: u64,
}

/// The time that a device spends in its hooks. Only the device's thread changes it.
#[derive(Debug)]
pub(crate) struct HookTimes {
    /// Those of registers, of methods, of timers, of memories.
    times: Box<[Counters]>,
    registers: usize,
    methods: &'static [&'static str],
    start: Instant,
    /// When the hook that runs was called, from the start on in nanoseconds; 0 if none runs.
    since: AtomicU64,
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
    longest: AtomicU64,
}

impl HookTimes {
    pub(super) fn new(descriptor: &Descriptor, methods: &'static [&'static str]) -> Self {
        let registers = descriptor.numbers();
        let count = registers + methods.len() + 2;
        HookTimes {
            times: (0..count).map(|_| Counters::default()).collect(),
            registers,
            methods,
            start: Instant::now(),
            since: AtomicU64::new(0),
        }
    }

    /// Notes that a hook is called.
    #[cold]
    pub(crate) fn enter(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that the hook has returned.
    #[cold]
    pub(crate) fn leave(&self, what: Hooked) {
        let since = self.since.load(Ordering::Relaxed);
        let took = self.now().saturating_sub(since);
        self.since.store(0, Ordering::Relaxed);
        let time = &self.times[self.index(what)];
        add(&time.calls, 1);
        add(&time.nanoseconds, took);
        time.longest.store(time.longest.load(Ordering::Relaxed).max(took), Ordering::Relaxed);
    }

    /// Returns for how many nanoseconds the current hook has run.
    pub(super) fn running(&self) -> Option<u64> {
        let since = self.since.load(Ordering::Relaxed);
        (since != 0).then(|| self.now().saturating_sub(since))
    }

    /// Returns the times of everything that has been called.
    pub(super) fn all(&self) -> impl Iterator<Item = (Hooked, HookTime)> {
        let times = self.times.iter().map(Counters::get).enumerate();
        let called = times.filter(|(_, time)| time.calls > 0);
        called.map(|(index, time)| (self.what(index), time))
    }

    pub(super) fn method(&self, index: usize) -> &'static str {
        self.methods[index]
    }

    /// Nanoseconds from the start on, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn index(&self, what: Hooked) -> usize {
        match what {
            Hooked::Register(number) => number,
            Hooked::Method(index) => self.registers + index,
            Hooked::Timers => self.times.len() - 2,
            Hooked::Memories => self.times.len() - 1,
        }
    }

    fn what(&self, index: usize) -> Hooked {
        match index.checked_sub(self.registers) {
            None => Hooked::Register(index),
            Some(method) if method < self.methods.len() => Hooked::Method(method),
            Some(other) if other == self.methods.len() => Hooked::Timers,
            Some(_) => Hooked::Memories,
        }
    }
}

impl Counters {
    fn get(&self) -> HookTime {
        HookTime {
            calls: self.calls.load(Ordering::Relaxed),
            nanoseconds: self.nanoseconds.load(Ordering::Relaxed),
            longest: self.longest.load(Ordering::Relaxed),
        }
    }
}

/// Adds to a counter that only this thread changes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).saturating_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ids, Register};

    const REGISTERS: &[Register] = &[Register::new::<u32>("status", 0)];

    #[test]
    fn calls_are_attributed_to_what_they_are_of() {
        let descriptor = Descriptor::new("test", Ids::default()).with_registers(REGISTERS);
        let times = HookTimes::new(&descriptor, &["start", "event"]);
        let hooked = [
            Hooked::Register(0),
            Hooked::Method(0),
            Hooked::Method(1),
            Hooked::Timers,
            Hooked::Memories,
        ];
        for what in hooked {
            assert_eq!(times.running(), None);
            times.enter();
            assert!(times.running().is_some());
            times.leave(what);
        }
        let all: Vec<_> = times.all().map(|(what, time)| (what, time.calls)).collect();
        assert_eq!(all, hooked.map(|what| (what, 1)));
        assert!(times.all().all(|(_, time)| time.longest == time.nanoseconds));
    }
}
