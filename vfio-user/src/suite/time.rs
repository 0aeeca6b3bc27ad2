//! Tests the migration of state while time passes.

use std::time::Duration;

use super::element::Element;
use super::migration::Pair;
use super::random::Random;
use super::timers::{TimerDifference, Timers, pass};
use crate::bench::Bench;
use crate::device::{PciDevice, SavedTimer};

/// The time that passes for the target device before it loads the state.
const OWN_LIFE: Duration = Duration::from_millis(3_141);
/// Number of times that time passes for both devices.
const ROUNDS: u64 = 3;

impl<D: PciDevice> Pair<'_, D> {
    /// Lets time pass before the state is saved, for the target device, and for both afterwards.
    /// Then saves the target device itself.
    pub(super) fn check_time(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        for _ in 0..2 {
            let counters = self.follow_time(&mut random);
            self.target = (self.construct)();
            pass(&mut self.target, OWN_LIFE);
            self.move_in_order();
            check_counters(&mut self.source, &counters, "when it is saved");
            check_counters(&mut self.target, &counters, "when its state is loaded");
            for _ in 0..ROUNDS {
                self.assert_timers_are_same("after its state was loaded");
                self.read_all();
                let time = random.time();
                pass(&mut self.source, time);
                pass(&mut self.target, time);
            }
            self.assert_same_device("when time has passed after its state was loaded");
            std::mem::swap(&mut self.source, &mut self.target);
        }
    }

    /// Lets time pass, and returns the registers that count it: reads leave them, and time
    /// increases them.
    fn follow_time(&mut self, random: &mut Random) -> Vec<Counter> {
        let elements: Vec<_> = self.elements.samples().cloned().collect();
        let mut read = |time| -> Vec<u64> {
            pass(&mut self.source, time);
            elements.iter().map(|element| whole(&mut self.source, element)).collect()
        };
        let (first, again) = (read(Duration::ZERO), read(Duration::ZERO));
        let (later, last) = (read(OWN_LIFE / 2), read(OWN_LIFE / 2 + random.time()));
        let values = first.iter().zip(&again).zip(later.iter().zip(&last));
        let counts =
            |((first, again), (later, last))| first == again && first < later && later < last;
        let counters = elements.iter().zip(values).filter(|(_, values)| counts(*values));
        let counter = |(element, (_, (_, value))): (&Element, (_, (_, &u64)))| Counter {
            element: element.clone(),
            value: *value,
        };
        counters.map(counter).collect()
    }

    pub(super) fn assert_timers_are_same(&self, when: &str) {
        let [source, target] = [&self.source, &self.target].map(Timers::take);
        if let Some(TimerDifference { name, one, other }) =
            source.first_different(&target, self.spared.volatile)
        {
            panic!(
                "the timer `{name}` has {} {when}, where that of its source has {}; the time that is \
                 left migrates with the device",
                left(other),
                left(one)
            );
        }
    }
}

/// A register that counts time.
struct Counter {
    element: Element,
    value: u64,
}

/// Reads the whole register with the fewest reads.
fn whole<D: PciDevice>(bench: &mut Bench<D>, element: &Element) -> u64 {
    element.whole().into_iter().fold(0, |value, lane| value | element.read(bench, lane))
}

/// Checks that no time has passed since the counters were read.
fn check_counters<D: PciDevice>(bench: &mut Bench<D>, counters: &[Counter], when: &str) {
    for Counter { element, value } in counters {
        let found = whole(bench, element);
        assert!(
            found >= *value,
            "{element} follows the time and goes back from {value:#x} to {found:#x} {when}; \
             `Device::saving` stores how far it is, and `Device::loaded` goes on from there"
        );
    }
}

fn left(timer: Option<SavedTimer>) -> String {
    timer.map_or_else(|| "no deadline".to_owned(), |timer| format!("{timer} left"))
}
