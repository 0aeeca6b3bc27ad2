//! Tests that an access to a window has the same effects as one to the register that it reaches.

use super::byte_lanes::{ByteLanes, accepts};
use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::{RegisterBits, Slot, Window, WindowBar, beside};

/// Makes the same accesses to two devices, to one of them through the window.
pub(super) fn check<D: PciDevice>(construct: impl Fn() -> Bench<D>, elements: &Elements) {
    let windows = elements
        .samples()
        .filter_map(|element| Some(Opening { element, window: element.register.window()? }));
    for opening in windows {
        let (mut direct, mut indirect) = (construct(), construct());
        let mut random = Random::new(opening.element.offset);
        for element in elements.tested() {
            for lane in element.whole() {
                opening.compare((&mut direct, &mut indirect), element, lane, &mut random);
            }
        }
    }
}

/// A window, and its declaration.
struct Opening<'a> {
    element: &'a Element,
    window: &'static Window,
}

impl Opening<'_> {
    fn compare<D: PciDevice>(
        &self,
        (direct, indirect): (&mut Bench<D>, &mut Bench<D>),
        element: &Element,
        lane: ByteLanes,
        random: &mut Random,
    ) {
        if !self.reaches(indirect, element, lane) {
            return;
        }
        let value = random.bits();
        if element.register.answers(true) && self.element.register.access().writable() != 0 {
            element.write(direct, lane, value);
            element.reach(indirect);
            self.turn(indirect, element, lane);
            self.element.write_bytes(indirect, lane.len, &element.bytes(lane, value));
            self.check_step(indirect, element, lane);
        }
        if element.register.answers(false) && self.element.register.access().readable() != 0 {
            let expected = element.read(direct, lane) & lane.mask();
            element.reach(indirect);
            self.turn(indirect, element, lane);
            let found = element.bits(lane, self.element.read_bytes(indirect, lane.len));
            assert!(
                found == expected || element.is_noisy,
                "{element} reads {expected:#x}, and {found:#x} through {}, at {lane}",
                self.element
            );
        }
        let (expected, found) = (element.peek(direct), element.peek(indirect));
        assert!(
            (found ^ expected) & element.settled == 0,
            "{element} holds {expected:#x}, and {found:#x} after the same through {}",
            self.element
        );
    }

    /// Whether the window can be turned to a register, of which it is none itself, nor one that
    /// decides where the window leads.
    fn reaches<D: PciDevice>(
        &self,
        bench: &mut Bench<D>,
        element: &Element,
        lane: ByteLanes,
    ) -> bool {
        let descriptor = bench.function().descriptor();
        let is_bar = match self.window.bar() {
            WindowBar::Own => element.bar == self.element.bar,
            WindowBar::Number(bar) => element.bar == descriptor.origin(bar),
            WindowBar::Selected(bits) => self.can_hold(bench, bits, element.bar.into()),
        };
        let rules = super::byte_lanes::rules(descriptor, self.element.bar);
        let is_accepted =
            rules.is_some_and(|rules| accepts(&rules, self.element.offset, lane.len.into()));
        let is_fitting =
            self.window.len().is_none_or(|bits| self.can_hold(bench, bits, lane.len.into()));
        let names = self.bits().any(|bits| beside(self.element.slot, bits) == element.slot);
        let at = element.address(lane);
        is_bar
            && element.bar < 6
            && is_accepted
            && is_fitting
            && !names
            && lane.len <= self.element.register.width()
            && self.can_hold(bench, self.window.at(), at)
    }

    fn bits(&self) -> impl Iterator<Item = RegisterBits> {
        let bar = match self.window.bar() {
            WindowBar::Selected(bits) => Some(bits),
            WindowBar::Own | WindowBar::Number(_) => None,
        };
        [Some(self.window.at()), bar, self.window.len()].into_iter().flatten()
    }

    fn slot(&self, bits: RegisterBits) -> Slot {
        beside(self.element.slot, bits)
    }

    fn can_hold<D: PciDevice>(&self, bench: &Bench<D>, bits: RegisterBits, value: u64) -> bool {
        let register = bench.function().descriptor().register(self.slot(bits));
        let held = bits.with(value) & register.implemented();
        bits.of(held) == value && register.rejected(held) == 0
    }

    /// Pokes the registers by which the window goes.
    fn turn<D: PciDevice>(&self, bench: &mut Bench<D>, element: &Element, lane: ByteLanes) {
        let mut poke = |bits: RegisterBits, value| {
            let slot = self.slot(bits);
            let _ = bench.function_mut().poke_slot(slot, bits.with(value), bits.mask);
        };
        poke(self.window.at(), element.address(lane));
        if let WindowBar::Selected(bits) = self.window.bar() {
            poke(bits, element.bar.into());
        }
        if let Some(bits) = self.window.len() {
            poke(bits, lane.len.into());
        }
    }

    fn check_step<D: PciDevice>(&self, bench: &Bench<D>, element: &Element, lane: ByteLanes) {
        let (at, step) = (self.window.at(), self.window.step());
        let register = bench.function().descriptor().register(self.slot(at));
        let moved = at.with(element.address(lane).wrapping_add(step)) & register.implemented();
        let found = at.of(bench.function().peek_slot(self.slot(at)).bits());
        assert!(
            found == at.of(moved) || register.rejected(moved) != 0,
            "an access through {} leaves its offset at {found:#x}, not {:#x}",
            self.element,
            at.of(moved)
        );
    }
}
