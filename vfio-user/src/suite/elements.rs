//! All registers of a device.

use std::ops::Range;

use super::element::{Element, Poke};
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::{Descriptor, Slot, WriteLock};

/// The width of the widest register, in bytes.
const WIDEST: u64 = 8;

/// All elements of all registers, in address order.
#[derive(Debug)]
pub(super) struct Elements {
    all: Vec<Element>,
}

impl Elements {
    pub(super) fn of(descriptor: &Descriptor, excluded: &[&str]) -> Self {
        let slots = descriptor.slots();
        let mut all: Vec<_> = slots
            .map(|(register, slot)| Element::new(descriptor, register, slot, excluded))
            .collect();
        all.sort_unstable_by_key(|element| (element.bar, element.offset));
        Elements { all }
    }

    pub(super) fn all(&self) -> &[Element] {
        &self.all
    }

    /// Returns the byte ranges of the registers in a BAR.
    pub(super) fn all_of(&self, bar: u8) -> impl Iterator<Item = Range<u64>> {
        self.all.iter().filter(move |element| element.bar == bar).map(Element::range)
    }

    /// Returns the registers whose policies are tested: of an array, the first, the second and the
    /// last.
    pub(super) fn tested(&self) -> impl Iterator<Item = &Element> {
        self.all.iter().filter(|element| element.exempt.is_none() && element.is_sample())
    }

    /// Returns the registers that tests may access: of an array, the first, the second and the
    /// last.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Element> {
        self.all.iter().filter(|element| element.is_sample() && !element.is_excluded())
    }

    /// Returns the values of all registers.
    pub(super) fn peek_all<D: PciDevice>(&self, bench: &Bench<D>) -> Vec<u64> {
        self.all.iter().map(|element| element.peek(bench)).collect()
    }

    /// Returns the element of a slot.
    pub(super) fn find(&self, slot: Slot) -> Option<&Element> {
        self.all.iter().find(|element| element.slot == slot)
    }

    /// Returns the register that locks another one, and the lock.
    pub(super) fn lock_of(&self, element: &Element) -> Option<(&Element, WriteLock)> {
        let lock = element.register.lock()?;
        let find = |element_index| {
            self.find(Slot { register: lock.register, element: element_index, ..element.slot })
        };
        Some((find(element.slot.element).or_else(|| find(0))?, lock))
    }

    /// Locks or unlocks a register, as far as its lock can be poked.
    pub(super) fn set_lock<D: PciDevice>(
        &self,
        bench: &mut Bench<D>,
        element: &Element,
        is_locked: bool,
    ) {
        if let Some((locking, lock)) = self.lock_of(element) {
            let bits = if is_locked == lock.inverted { 0 } else { u64::MAX };
            locking.poke_bits(bench, bits, lock.mask);
        }
    }

    /// Makes a register answer accesses as a guest does: by writes to the registers on which that
    /// depends, as far as tests may access them.
    pub(super) fn choose<D: PciDevice>(&self, bench: &mut Bench<D>, element: &Element) {
        for Poke { slot, bits, mask } in &element.pokes {
            if let Some(chooser) = self.find(*slot).filter(|chooser| !chooser.is_excluded()) {
                let value = (chooser.peek(bench) & !mask) | bits;
                chooser.write_as_guest(bench, value);
            }
        }
    }

    /// Whether tests may access a range of a BAR.
    pub(super) fn allow(&self, bar: u8, range: &Range<u64>) -> bool {
        !self.within(bar, range).any(Element::is_excluded)
    }

    /// Returns the registers that share a byte with a range of a BAR.
    pub(super) fn within(&self, bar: u8, range: &Range<u64>) -> impl Iterator<Item = &Element> {
        // Registers may share bytes, so the ends are not in order.
        let first = self.all.partition_point(|element| {
            (element.bar, element.offset + WIDEST) <= (bar, range.start)
        });
        let Range { start, end } = *range;
        self.all[first..]
            .iter()
            .take_while(move |element| (element.bar, element.offset) < (bar, end))
            .filter(move |element| start < element.range().end)
    }
}
