//! Tests every bit against its policy.

use super::byte_lanes::ByteLanes;
use super::element::Element;
use super::elements::Elements;
use super::model::Model;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;

/// Initial values of registers.
const OLD: [u64; 3] = [0, u64::MAX, 0xa5c3_3c5a_0f69_96f0];

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    for element in elements.tested() {
        let mut trial = Trial::new(bench, elements, element);
        trial.check_all();
    }
}

/// A register and its model.
struct Trial<'a, D: PciDevice> {
    bench: &'a mut Bench<D>,
    elements: &'a Elements,
    element: &'a Element,
    model: Model,
    random: Random,
}

impl<'a, D: PciDevice> Trial<'a, D> {
    fn new(bench: &'a mut Bench<D>, elements: &'a Elements, element: &'a Element) -> Self {
        let model = Model::new(element.register);
        Trial { bench, elements, element, model, random: Random::new(element.offset) }
    }

    fn check_all(&mut self) {
        for lane in self.element.whole() {
            for value in walking(lane) {
                self.check(lane, value);
            }
        }
        for lane in &self.element.lanes {
            for value in values(*lane, &mut self.random) {
                self.check(*lane, value);
            }
            self.check_locked(*lane);
        }
    }

    fn check(&mut self, lane: ByteLanes, value: u64) {
        self.forget();
        // What can be written once is written the first time, and not again.
        for old in OLD {
            self.begin(old);
            self.write(lane, value);
            self.read(lane);
        }
    }

    fn check_locked(&mut self, lane: ByteLanes) {
        if self.elements.lock_of(self.element).is_some() {
            self.begin(OLD[2]);
            self.set_lock(true);
            // A register may lock itself.
            self.model.set(self.element.peek(self.bench));
            let value = self.random.bits() & lane.mask();
            self.write(lane, value);
            self.set_lock(false);
        }
    }

    /// Makes write-once bits writable again.
    fn forget(&mut self) {
        if self.model.is_once() {
            self.bench.reset();
            self.model.reset();
        }
    }

    /// Sets the register to `old`, as far as possible, and unlocks it.
    fn begin(&mut self, old: u64) {
        self.set_lock(false);
        let old = self.element.poke(self.bench, old);
        self.model.set(old);
    }

    fn set_lock(&mut self, is_locked: bool) {
        self.elements.set_lock(self.bench, self.element, is_locked);
    }

    fn is_locked(&self) -> bool {
        let lock = self.elements.lock_of(self.element);
        lock.is_some_and(|(locking, lock)| lock.engages(locking.peek(self.bench)))
    }

    fn write(&mut self, lane: ByteLanes, value: u64) {
        let old = self.model.stored();
        if self.is_locked() {
            self.model.write_locked();
        } else {
            self.model.write(value, lane.mask());
        }
        self.element.write(self.bench, lane, value);
        self.compare(lane, format_args!("a write of {value:#x} to {old:#x}"));
    }

    fn read(&mut self, lane: ByteLanes) {
        let old = self.model.stored();
        let expected = self.model.read(lane.mask());
        let found = self.element.read(self.bench, lane);
        let element = self.element;
        assert!(
            (found ^ expected) & element.predictable == 0,
            "{element} reads {found:#x} and not {expected:#x} from {lane} of {old:#x}"
        );
        self.compare(lane, format_args!("a read of {old:#x}"));
    }

    fn compare(&self, lane: ByteLanes, what: std::fmt::Arguments<'_>) {
        let (element, expected) = (self.element, self.model.stored());
        let found = element.peek(self.bench);
        let hint = if element.has_hooks() { "; if its hook does that, exclude it" } else { "" };
        assert!(
            (found ^ expected) & element.predictable == 0,
            "{element} holds {found:#x} and not {expected:#x} after {what} at {lane}{hint}"
        );
    }
}

/// All ones, all zeros, and numbers without a pattern.
fn values(lane: ByteLanes, random: &mut Random) -> [u64; 4] {
    [u64::MAX, 0, random.bits(), random.bits()].map(|value| value & lane.mask())
}

/// Walking ones, walking zeros.
fn walking(lane: ByteLanes) -> impl Iterator<Item = u64> {
    let bits = move || (lane.first * 8..(lane.first + lane.len) * 8).map(|bit| 1_u64 << bit);
    bits().chain(bits().map(move |bit| lane.mask() & !bit))
}
