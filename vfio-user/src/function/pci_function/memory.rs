//! Accesses to a BAR of which clients may map parts: memory there, registers beside it.

use std::ops::Range;
use std::time::Instant;

use super::{PciDevice, PciFunction};
use crate::bus::{Contents, stored};
use crate::model::{Bar, DataMatch, Descriptor, Hooks, Slot};
use crate::protocol::{Errno, RegionIndex};
use crate::shared::Shared;

impl<D: PciDevice> PciFunction<D> {
    /// Returns the shared memory of a BAR; an absent one if the BAR is not shared.
    pub fn shared(&self, bar: u8) -> &Shared {
        self.runtime.shared(bar)
    }

    pub(super) fn read_bar(
        &mut self,
        bar: usize,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        self.bus(bar, |bus| bus.read_region(offset, data))
    }

    pub(super) fn write_bar(&mut self, bar: usize, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.bus(bar, |bus| bus.write_region(offset, data))
    }

    /// Stores the values of watched registers in memory, of those that a filter selects.
    pub(in crate::function) fn show_watched(&mut self, wanted: impl Fn(&Descriptor, Slot) -> bool) {
        for index in 0..self.watched.len() {
            let register = self.watched.get(index);
            if !wanted(&self.descriptor, register.slot) {
                continue;
            }
            let declared = self.descriptor.register(register.slot);
            let bits = stored(&self.device, declared, register.slot);
            register.reset(self.runtime.shared(register.bar), bits);
        }
    }

    /// Returns whether a watched register has changes to take or to show. If not, this counts as a
    /// look.
    pub(super) fn has_unseen(&mut self) -> bool {
        let PciFunction { device, descriptor, runtime, watched, .. } = self;
        let has_unseen = watched.registers().iter().any(|register| {
            let declared = descriptor.register(register.slot);
            let field = declared.is_stored().then(|| device.load(register.slot));
            register.is_unseen(runtime.shared(register.bar), field)
        });
        if !has_unseen {
            watched.polled(Instant::now(), false);
        }
        has_unseen
    }

    /// Takes the values that guests have written to watched registers, and shows the results.
    /// Registers that a message has `written` to are taken whether the write changed them or not.
    pub(super) fn poll_watched(&mut self, written: Option<(u8, &Range<u64>)>) {
        if self.watched.is_empty() {
            return;
        }
        if let Some(tap) = self.tap() {
            self.tap_watched(&*tap);
        }
        let mut changed = false;
        for index in 0..self.watched.len() {
            let register = *self.watched.get(index);
            let (bar, slot) = (register.bar, register.slot);
            let bits = register.memory(self.runtime.shared(bar));
            let by_message = written.is_some_and(|(bar, range)| register.overlaps(bar, range));
            if by_message || register.is_polled && bits != register.seen {
                changed = true;
                let rest = self.value_left(slot, bits);
                self.watched.get(index).take(self.runtime.shared(bar), bits, rest);
                self.ring(bar, slot, DataMatch::Value(bits));
            }
            if register.is_polled && self.descriptor.register(slot).is_stored() {
                let bits = self.device.load(slot);
                self.watched.get(index).show(self.runtime.shared(bar), bits);
            }
        }
        self.watched.polled(Instant::now(), changed);
    }

    /// Returns the value that the memory of a watched register holds once `bits` have been taken
    /// from it, as far as the declaration determines it. The value is stored before the hooks run:
    /// if a guest writes the same value again while they run, or because of their effects, the
    /// write differs from the value in memory.
    fn value_left(&self, slot: Slot, bits: u64) -> u64 {
        let register = self.descriptor.register(slot);
        if register.is_stored() && !register.has(Hooks::WRITE_WITH) {
            bits & register.implemented() & !register.access().pulses()
        } else {
            stored(&self.device, register, slot)
        }
    }

    /// Handles a write without a message.
    pub(super) fn ring(&mut self, bar: u8, slot: Slot, value: DataMatch) {
        let region = RegionIndex::ALL[usize::from(bar)];
        if self.is_off(region, true, self.descriptor.locate(slot).1) {
            return;
        }
        // A register lies in a BAR that exists.
        let _ = self.bus(bar.into(), |bus| {
            bus.ring(slot, value);
            Ok(())
        });
    }

    /// Returns whether a long access to a BAR may be divided: registers may have hooks, while
    /// memory is only copied. An author who serves a BAR receives accesses undivided.
    pub(super) fn divides_bar(
        &mut self,
        bar: usize,
        is_write: bool,
        range: &Range<u64>,
    ) -> Result<bool, Errno> {
        let map = &self.maps[self.origin(bar)];
        let (part, area) = map.areas().part(range.start, range);
        let area = area.filter(|_| part == *range).map(|area| area.contents);
        if area.is_some_and(|area| area != Contents::Raw) {
            return Ok(false);
        }
        if self.is_held() {
            // Each register is peeked; writes are ignored.
            return Ok(!is_write);
        }
        if self.disabled_regions.hides_bar(bar) {
            return Ok(false);
        }
        if area.is_some() || self.maps[self.origin(bar)].is_unregistered() {
            let bars = [bar, self.origin(bar)].map(|bar| self.descriptor.bars()[bar].as_ref());
            let accepts_all = bars.iter().all(|bar| bar.is_some_and(Bar::accepts_all));
            return Ok(!accepts_all);
        }
        self.bus(bar, |bus| bus.check_accepted_parts(is_write, range)).map(|()| true)
    }
}
