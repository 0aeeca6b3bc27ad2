//! Tests that state moves from one device to another.

use super::Use;
use super::content;
use super::element::Element;
use super::elements::Elements;
use super::private::{Private, Spared, check_reserved};
use super::random::Random;
use super::script::{Script, Seen, Snapshot, switch_on};
use super::timers::Timers;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::migration::StateError;
use crate::model::ResetKind;

/// Accesses before the state is saved.
const STEPS: u64 = 500;
/// Number of saves meanwhile.
const SAVES: u64 = 5;
/// Number of registers that are written first after loading; each seed selects others.
const MOST_WRITTEN: usize = 16;
/// The most flipped bits, and the most lengths that a stream is cut to.
const MOST: usize = 1 << 11;
/// The most bytes of a long stream to read in all; it limits the number of repetitions.
const PATIENCE: usize = 1 << 24;

/// Uses a device, and returns its state.
fn used<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements, seed: u64) -> Vec<u8> {
    let mut script = Script::new(bench, elements, seed);
    (0..STEPS).for_each(|_| drop(script.step(bench)));
    bench.state()
}

/// A device, and another one that loads its state.
pub(super) struct Pair<'a, D: PciDevice> {
    pub(super) source: Bench<D>,
    pub(super) target: Bench<D>,
    pub(super) construct: &'a dyn Fn() -> Bench<D>,
    pub(super) elements: &'a Elements,
    pub(super) spared: Spared,
}

impl<'a, D: PciDevice> Pair<'a, D> {
    /// Creates two new devices.
    pub(super) fn new(
        construct: &'a dyn Fn() -> Bench<D>,
        elements: &'a Elements,
        spared: Spared,
    ) -> Self {
        Pair { source: construct(), target: construct(), construct, elements, spared }
    }

    /// Checks that a device that loads the state of another one, after any guest accesses, behaves
    /// the same, at once and after any further accesses to both.
    pub(super) fn check(&mut self, seed: u64) {
        // A new device as well.
        self.move_state();
        self.check_time(seed);
        let mut script = Script::new(&self.source, self.elements, seed);
        for _ in 0..SAVES {
            (0..STEPS / SAVES).for_each(|_| drop(script.step(&mut self.source)));
            check_reserved(&self.source, self.elements);
            self.move_state();
            self.move_to_new();
            self.read_all();
        }
        switch_on(&mut self.source);
        self.move_to_new();
        self.read_all();
        self.write_each(seed);
        self.go_on(!seed);
        self.assert_same("when a guest uses it after its state was loaded");
        switch_on(&mut self.source);
        self.check_time(!seed);
    }

    /// Checks the same for a device after a use.
    pub(super) fn check_used(&mut self, drive: Use<D>) {
        drive(&mut self.source);
        self.move_state();
        self.move_to_new();
        self.read_all();
        self.go_on(0);
        self.assert_same("when a guest uses it after its state was loaded");
    }

    /// Moves the state to a device without other state, in the order of a server; both continue to
    /// run.
    fn move_to_new(&mut self) {
        self.target = (self.construct)();
        self.move_in_order();
    }

    /// Moves the state to the target device, in the order of a server; both continue to run.
    pub(super) fn move_in_order(&mut self) {
        let stream = self.source.save();
        self.target.copy_memory(&self.source);
        if let Err(error) = self.target.load(&stream) {
            refused(&error);
        }
    }

    /// Moves the state. The source is stopped while its state is compared with the loaded state.
    fn move_state(&mut self) {
        self.source.stop_to_save();
        let stream = self.source.state();
        let first = Private::take(&self.source);
        self.source.prepare_saving();
        let again = Private::take(&self.source);
        if let Some(field) = first.difference(&again, self.spared.volatile) {
            panic!(
                "`{field}` is something else when the state is saved again, though no time has \
                 passed; `Device::saving` may be called more than once"
            );
        }
        self.target.copy_memory(&self.source);
        load(&mut self.target, &stream);
        self.assert_same("after its state was loaded");
        let is_same =
            content::is_same(&self.target.state(), &stream) || self.has_volatile_difference();
        assert!(is_same, "what was loaded is saved as something else");
        self.target.prepare_saving();
        self.assert_same("when it prepares to be saved after its state was loaded");
        self.source.go_on();
    }

    /// Whether a volatile private field or timer differs: then the streams differ as well.
    fn has_volatile_difference(&self) -> bool {
        let [source, target] = [&self.source, &self.target].map(Private::take);
        let timers = [&self.source, &self.target].map(Timers::take);
        source.difference(&target, &[]).is_some()
            || timers[0].first_different(&timers[1], &[]).is_some()
    }

    /// Checks that every register reads the same, however it is computed.
    pub(super) fn read_all(&mut self) {
        for element in self.elements.samples() {
            for lane in element.whole() {
                let expected = element.read(&mut self.source, lane);
                let found = element.read(&mut self.target, lane);
                assert!(
                    (found ^ expected) & !element.unsettled() == 0,
                    "{element} reads {found:#x} after its state was loaded, where its source \
                     reads {expected:#x}; `Device::loaded` restores what is not saved"
                );
            }
        }
    }

    /// Checks that a first write to each register has the same effect.
    fn write_each(&mut self, seed: u64) {
        let (elements, mut random) = (self.elements, Random::new(seed));
        let step = elements.samples().count() / MOST_WRITTEN + 1;
        let first = usize::try_from(seed).unwrap_or(0) % step;
        for element in elements.samples().skip(first).step_by(step) {
            self.move_to_new();
            for lane in element.whole() {
                let value = random.bits() & lane.mask();
                element.write(&mut self.source, lane, value);
                element.write(&mut self.target, lane, value);
            }
            self.assert_same_device(&format!("after a write to {element} was the first to both"));
        }
    }

    /// Continues with the same guest accesses on both.
    fn go_on(&mut self, seed: u64) {
        let benches = [&self.source, &self.target];
        let [mut one, mut other] = benches.map(|bench| Script::new(bench, self.elements, seed));
        for _ in 0..STEPS {
            let answers = (one.step(&mut self.source), other.step(&mut self.target));
            if let (Some(expected), Some(found)) = answers {
                self.compare(&expected, &found);
            }
        }
    }

    /// Compares the values read from registers, except for bits that change by themselves.
    fn compare(&self, expected: &Seen, found: &Seen) {
        let Seen { bar, offset, .. } = *expected;
        for (at, (expected_byte, byte)) in (offset..).zip(expected.data.iter().zip(&found.data)) {
            let range = at..at + 1;
            let mut elements = self.elements.within(bar, &range).peekable();
            let Some(element) = elements.peek().copied() else { continue };
            let settled = |element: &Element| !element.unsettled() >> (element.byte_at(at) * 8);
            let [settled, ..] =
                elements.map(settled).fold(u64::MAX, |all, one| all & one).to_le_bytes();
            let is_same = (expected_byte ^ byte) & settled == 0;
            assert!(
                is_same && expected.answer == found.answer,
                "{element} is read as {found:x?} when a guest uses it after its state was loaded, \
                 and as {expected:x?} of its source"
            );
        }
    }

    /// Checks that state that only guests change is the same.
    fn assert_same(&mut self, when: &str) {
        self.assert_same_device(when);
        let before = Snapshot::take(&mut self.source, self.elements);
        let after = Snapshot::take(&mut self.target, self.elements);
        let [before, after] =
            [before, after].map(|snapshot| snapshot.config(&self.source, ResetKind::Device));
        assert_eq!(after, before, "configuration space {when}");
    }

    pub(super) fn assert_same_device(&self, when: &str) {
        for element in self.elements.all() {
            let (expected, found) = (element.peek(&self.source), element.peek(&self.target));
            assert!(
                (found ^ expected) & element.settled == 0 || !element.register.migrates(),
                "{element} is {found:#x} {when}, where its source has {expected:#x}"
            );
        }
        let [expected, found] = [&self.source, &self.target].map(Private::take);
        if let Some(field) = expected.difference(&found, self.spared.volatile) {
            panic!(
                "`{field}` is not what its source has {when}; one that changes by itself is \
                 `volatile = [\"{field}\"]`"
            );
        }
        self.assert_timers_are_same(when);
    }
}

/// Checks that a damaged stream is refused, and that the target device is unchanged.
pub(super) fn check_damage<D: PciDevice>(
    source: &mut Bench<D>,
    target: &mut Bench<D>,
    elements: &Elements,
    spared: &Spared,
) {
    let mut stream = used(source, elements, 0);
    // One that has been used as well, in another way.
    let (before, private) = (used(target, elements, 1), Private::take(target));
    let len = stream.len();
    let most = (PATIENCE / len).clamp(32, MOST);
    for len in (0..len).step_by(len / most + 1) {
        let loaded = target.function_mut().load(&stream[..len]);
        assert!(loaded.is_err(), "the first {len} bytes of a state are taken for one");
    }
    let bits = len * 8;
    let mut random = Random::new(2);
    for bit in (0..bits).step_by(bits / most + 1) {
        // Of a long stream any bit in between.
        let any = usize::try_from(random.bits() >> 1).unwrap_or(0);
        let bit = (bit + any % (bits / most + 1)).min(bits - 1);
        stream[bit / 8] ^= 1 << (bit % 8);
        assert!(
            target.function_mut().load(&stream).is_err(),
            "bit {bit} of a state is flipped without notice"
        );
        stream[bit / 8] ^= 1 << (bit % 8);
    }
    let now = Private::take(target);
    let only_by_itself = private.difference(&now, &[]).is_some()
        && private.difference(&now, spared.volatile).is_none();
    assert!(
        content::is_same(&target.state(), &before) || only_by_itself,
        "a state that was refused has changed the device"
    );
    load(target, &stream);
}

fn load<D: PciDevice>(bench: &mut Bench<D>, stream: &[u8]) {
    if let Err(error) = bench.function_mut().load(stream) {
        refused(&error);
    }
}

fn refused(error: &StateError) -> ! {
    panic!("the device does not load its own state: {error}")
}
