//! Registers in shared memory, which guests write without a message: the device's thread looks
//! whether one has changed.

use std::ops::Range;
use std::time::Instant;

use super::pace::Pace;
use crate::model::{Descriptor, Slot, Traits};
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

    /// When to look again.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.pace.map(|pace| pace.next())
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

    /// Whether a guest has written since the last time, or the device has changed `field`, which is
    /// what it holds, if it holds anything. Memory that is lost does not change any more.
    pub(super) fn is_unseen(&self, shared: &Shared, field: Option<u64>) -> bool {
        let memory = shared.load_bits(self.offset, self.width);
        memory.is_ok_and(|bits| bits != self.seen || field.is_some_and(|field| field != self.seen))
    }

    /// Whether a range of a BAR has a byte of it.
    pub(super) fn overlaps(&self, bar: u8, range: &Range<u64>) -> bool {
        let end = self.offset + u64::from(self.width);
        self.bar == bar && self.offset < range.end && range.start < end
    }

    /// Takes `bits`, which the memory holds, and leaves `rest` there. Unless a guest has written again:
    /// that is seen at the next look, as it is not `rest`, even if it is `bits` once more.
    pub(super) fn take(&mut self, shared: &Shared, bits: u64, rest: u64) {
        if bits != rest {
            shared.exchange_bits(self.offset, self.width, bits, rest);
        }
        self.seen = rest;
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
