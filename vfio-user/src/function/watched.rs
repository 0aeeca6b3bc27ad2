//! Registers in shared memory, which guests write without a message: the device's thread polls
//! them.

use std::ops::Range;
use std::time::Instant;

use super::pace::Pace;
use crate::model::{Bar, Descriptor, RegisterFlags, Slot, Watching};
use crate::shared::Shared;

/// The watched registers of a device.
#[derive(Debug)]
pub(super) struct WatchedRegisters {
    registers: Box<[WatchedRegister]>,
    /// Present while a client is attached.
    pace: Option<Pace>,
}

/// A watched register, and the last value that the device has seen in its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchedRegister {
    pub(super) bar: u8,
    pub(super) slot: Slot,
    pub(super) offset: u64,
    width: u8,
    pub(super) seen: u64,
    /// Whether the device's thread polls it; otherwise it takes messages alone.
    pub(super) is_polled: bool,
}

impl WatchedRegisters {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let watched = descriptor.slots_with(|register| register.is(RegisterFlags::WATCH));
        let registers = watched.filter_map(|(register, slot)| {
            let (bar, offset) = descriptor.locate(slot);
            let declared = descriptor.bars()[usize::from(bar)].filter(Bar::is_shared)?;
            let is_polled = declared.watching() == Watching::ByDevice;
            let width = register.width();
            Some(WatchedRegister { bar, slot, offset, width, seen: 0, is_polled })
        });
        WatchedRegisters { registers: registers.collect(), pace: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.registers.len()
    }

    pub(super) fn registers(&self) -> &[WatchedRegister] {
        &self.registers
    }

    /// Exchanges the values that have been seen of each register.
    pub(super) fn exchange_seen(&mut self, seen: &mut [u64]) {
        for (register, seen) in self.registers.iter_mut().zip(seen) {
            std::mem::swap(&mut register.seen, seen);
        }
    }

    pub(super) fn get(&mut self, index: usize) -> &mut WatchedRegister {
        &mut self.registers[index]
    }

    /// Starts polling: a client is attached, which may map the memory.
    pub(super) fn start(&mut self, now: Instant) {
        let is_polled = self.registers.iter().any(|register| register.is_polled);
        self.pace = is_polled.then(|| Pace::new(now));
    }

    /// Stops polling: the client has left.
    pub(super) fn stop(&mut self) {
        self.pace = None;
    }

    /// Returns the time of the next look.
    pub(super) fn next_poll(&self) -> Option<Instant> {
        self.pace.map(|pace| pace.next())
    }

    /// Notes a look, and whether it found a change.
    pub(super) fn polled(&mut self, now: Instant, changed: bool) {
        if let Some(pace) = &mut self.pace {
            pace.polled(now, changed);
        }
    }
}

impl WatchedRegister {
    /// Returns the value in memory. Lost memory does not change any more.
    pub(super) fn memory(&self, shared: &Shared) -> u64 {
        shared.load_bits(self.offset, self.width).unwrap_or(self.seen)
    }

    /// Stores a value as the guest does.
    pub(super) fn store(&self, shared: &Shared, bits: u64) {
        let bytes = bits.to_le_bytes();
        // Without the memory there is nothing to replay.
        let _ = shared.write(self.offset, &bytes[..self.width.into()]);
    }

    /// Returns whether a guest has written since the last look, or the device has changed `field`,
    /// the value that it stores, if it stores one. Lost memory does not change any more.
    pub(super) fn is_unseen(&self, shared: &Shared, field: Option<u64>) -> bool {
        if !self.is_polled {
            return false;
        }
        let memory = shared.load_bits(self.offset, self.width);
        memory.is_ok_and(|bits| bits != self.seen || field.is_some_and(|field| field != self.seen))
    }

    /// Returns whether a range of a BAR overlaps the register.
    pub(super) fn overlaps(&self, bar: u8, range: &Range<u64>) -> bool {
        let end = self.offset + u64::from(self.width);
        self.bar == bar && self.offset < range.end && range.start < end
    }

    /// Takes `bits`, the value in memory, and leaves `rest` there, unless a guest has written
    /// again. The next look finds such a write, because it differs from `rest` even if it is `bits`
    /// again.
    pub(super) fn take(&mut self, shared: &Shared, bits: u64, rest: u64) {
        if bits != rest {
            shared.exchange_bits(self.offset, self.width, bits, rest);
        }
        self.seen = rest;
    }

    /// Stores the value of the register in memory, unless a guest has written again.
    pub(super) fn show(&mut self, shared: &Shared, bits: u64) {
        if bits != self.seen && shared.exchange_bits(self.offset, self.width, self.seen, bits) {
            self.seen = bits;
        }
    }

    /// Stores the value of the register in memory, regardless of what guests have written.
    pub(super) fn reset(&mut self, shared: &Shared, bits: u64) {
        let bytes = bits.to_le_bytes();
        if shared.write(self.offset, &bytes[..self.width.into()]).is_ok() {
            self.seen = bits;
        }
    }
}
