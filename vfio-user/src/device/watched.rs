//! Registers in shared memory, which guests write without a message: the device's thread looks
//! whether one has changed.

use std::time::{Duration, Instant};

use super::{Descriptor, Slot};
use crate::register::Traits;
use crate::shared::Shared;

/// The registers that are watched.
#[derive(Debug)]
pub(super) struct Watched {
    registers: Box<[Register]>,
    /// While a client is there.
    pace: Option<Pace>,
}

/// One of them, and what the device knows of the memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register {
    pub(super) bar: u8,
    pub(super) slot: Slot,
    pub(super) offset: u64,
    width: u8,
    pub(super) seen: u64,
}

/// When to look: without a pause while something changes, and more and more rarely afterwards.
#[derive(Clone, Copy, Debug)]
struct Pace {
    changed: Instant,
    next: Instant,
    pause: Duration,
}

impl Watched {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let watched = descriptor.slots_with(|register| register.is(Traits::WATCH));
        let registers = watched.map(|(register, slot)| {
            let (bar, offset) = descriptor.place(slot);
            Register { bar, slot, offset, width: register.width(), seen: 0 }
        });
        Watched { registers: registers.collect(), pace: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.registers.len()
    }

    pub(super) fn registers(&self) -> &[Register] {
        &self.registers
    }

    /// Exchanges what has been seen of each register and something else.
    pub(super) fn exchange_seen(&mut self, seen: &mut [u64]) {
        for (register, seen) in self.registers.iter_mut().zip(seen) {
            std::mem::swap(&mut register.seen, seen);
        }
    }

    pub(super) fn get(&mut self, place: usize) -> &mut Register {
        &mut self.registers[place]
    }

    /// A client is there, which may map the memory.
    pub(super) fn start(&mut self, now: Instant) {
        self.pace = (!self.is_empty()).then(|| Pace::new(now));
    }

    /// It is gone.
    pub(super) fn stop(&mut self) {
        self.pace = None;
    }

    /// Whether to look again at once.
    pub(super) fn is_busy(&self) -> bool {
        self.pace.is_some_and(|pace| pace.pause.is_zero())
    }

    /// When to look again, after a pause.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pace.filter(|pace| !pace.pause.is_zero()).map(|pace| pace.next)
    }

    /// The device has looked, and something had changed or not.
    pub(super) fn looked(&mut self, now: Instant, changed: bool) {
        if let Some(pace) = &mut self.pace {
            pace.looked(now, changed);
        }
    }
}

impl Register {
    /// What the memory holds. What is lost does not change any more.
    pub(super) fn memory(&self, shared: &Shared) -> u64 {
        shared.load_bits(self.offset, self.width).unwrap_or(self.seen)
    }

    /// What a guest has written since the last time.
    pub(super) fn look(&mut self, shared: &Shared) -> Option<u64> {
        let now = self.memory(shared);
        let changed = now != self.seen;
        self.seen = now;
        changed.then_some(now)
    }

    /// Lets guests see what the register holds, unless one has written again.
    pub(super) fn show(&mut self, shared: &Shared, bits: u64) {
        if bits != self.seen && shared.exchange_bits(self.offset, self.width, self.seen, bits) {
            self.seen = bits;
        }
    }

    /// Lets guests see what the register holds, whatever they have written.
    pub(super) fn reset(&mut self, shared: &Shared, bits: u64) {
        let bytes = bits.to_le_bytes();
        if shared.write(self.offset, &bytes[..self.width.into()]).is_ok() {
            self.seen = bits;
        }
    }
}

impl Pace {
    /// How long nothing has to change before the first pause.
    const SPIN: Duration = Duration::from_micros(100);
    const FIRST: Duration = Duration::from_micros(50);
    const LAST: Duration = Duration::from_millis(5);

    fn new(now: Instant) -> Self {
        Pace { changed: now, next: now, pause: Duration::ZERO }
    }

    fn looked(&mut self, now: Instant, changed: bool) {
        if changed {
            *self = Pace::new(now);
        } else if now >= self.next && now.duration_since(self.changed) >= Self::SPIN {
            self.pause = (self.pause * 2).clamp(Self::FIRST, Self::LAST);
            self.next = now + self.pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_nothing_changes_and_end_with_a_change() {
        let start = Instant::now();
        let after = |micros| start + Duration::from_micros(micros);
        let mut pace = Pace::new(start);
        pace.looked(after(99), false);
        assert_eq!(pace.pause, Duration::ZERO, "it may change at any moment");
        pace.looked(after(100), false);
        assert_eq!(pace.next, after(150));
        pace.looked(after(120), false);
        assert_eq!(pace.next, after(150), "a look for another reason");
        pace.looked(after(150), false);
        assert_eq!(pace.next, after(250));
        let mut now = pace.next;
        for _ in 0..100 {
            pace.looked(now, false);
            assert!(pace.next > now && pace.next <= now + Duration::from_millis(5));
            now = pace.next;
        }
        assert_eq!(pace.pause, Pace::LAST);
        pace.looked(now, true);
        assert_eq!(pace.pause, Duration::ZERO);
    }
}
