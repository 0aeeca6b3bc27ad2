//! Tests that every device has to pass.
//!
//! [`device_tests!`](crate::device_tests) adds them to a crate. They need only a declaration: the
//! behaviour of each register follows from it. The tests compare it bit by bit with the device's
//! behaviour on the bus.

mod accesses;
mod aliasing;
mod byte_lanes;
mod capabilities;
mod content;
mod coverage;
mod element;
mod elements;
mod exempt;
mod guest_resets;
mod inquiry;
mod memory;
mod migration;
mod mirrors;
mod model;
mod parts;
mod policies;
mod private;
mod random;
mod resets;
mod schema;
mod script;
mod sizing;
mod streams;
mod time;
mod timers;
mod unmodelled;
mod windows;

pub use coverage::Coverage;
pub use exempt::Exempt;
pub use schema::assert_schema;
pub use streams::assert_streams;

use crate::bench::Bench;
use crate::device::PciDevice;
use crate::error::Result;
use elements::Elements;
use migration::Pair;
use private::Spared;

/// Adds the tests of [`suite`](crate::suite) for a device.
///
/// It takes the device's type and a function that constructs one, and expands to a module
/// `device_tests` with a `#[test]` for each behaviour:
///
/// ```
/// use vfio_user::{Device, PciDevice};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Scratch {
///     #[reg(0x00)]
///     scratch: u32,
///     #[reg(0x04, wo, write_with = Self::halt)]
///     halt: vfio_user::Virtual<u32>,
/// }
///
/// impl Device for Scratch {
///     type Event = ();
/// }
///
/// # impl Scratch { fn halt(&mut self, _: &mut vfio_user::Cx<'_, Self>, _: u32) {} }
/// #[cfg(test)]
/// mod tests {
///     vfio_user::device_tests!(super::Scratch, super::Scratch::default, exclude = ["halt"]);
/// }
/// # fn main() {}
/// ```
///
/// Registers that no test may access have `test(exclude = all)`, or are excluded by name: `status`,
/// `ring[3]`, or `ring` for all its elements. Private fields that survive resets are `sticky =
/// ["generation"]`, those that survive only function-level resets `keep_on_flr = ["owner"]`, or
/// only soft resets `keep_on_soft = ["port"]`, those that threads change `volatile =
/// ["progress"]`; those of a block are `queues.progress`. One line
/// of the output of `cargo test -- --nocapture` lists what is tested, what is not, and why.
///
/// Accesses to registers do not reach private state that DMA or posted events change. Functions
/// that use the device show that a reset clears this state as well, and that it migrates:
///
/// ```
/// # use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Virtual};
/// /// Counts the bytes of frames that it fetches.
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Nic {
///     #[reg(0x00, wo, write_with = Self::fetch)]
///     frame: Virtual<u64>,
///     bytes: u64,
/// }
///
/// impl Device for Nic {
///     type Event = ();
///
///     fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
///         self.bytes = 0;
///     }
/// }
///
/// impl Nic {
///     fn fetch(&mut self, cx: &mut Cx<'_, Self>, iova: u64) {
///         let mut frame = [0; 64];
///         if cx.dma().read(iova, &mut frame).is_ok() {
///             self.bytes += 64;
///         }
///     }
/// }
///
/// fn receive(bench: &mut Bench<Nic>) {
///     bench.write_memory(0x1000, &[1; 64]);
///     bench.write(0, 0x00, 0x1000_u64);
///     assert_eq!(bench.device().bytes, 64);
/// }
///
/// # #[cfg(test)]
/// mod tests {
///     vfio_user::device_tests!(super::Nic, super::Nic::default, used = [super::receive]);
/// }
/// # let suite = vfio_user::suite::Suite::new(Nic::default).used(&[receive]);
/// # suite.scripts();
/// # suite.round_trips();
/// ```
#[macro_export]
macro_rules! device_tests {
    ($device:ty, $construct:expr $(, $key:ident = [$($name:expr),* $(,)?])* $(,)?) => {
        fn device_suite() -> $crate::suite::Suite<$device> {
            $crate::suite::Suite::new($construct)$(.$key(&[$($name),*]))*
        }

        mod device_tests {
            use super::device_suite;

            #[test]
            fn some_registers_are_tested() {
                device_suite().coverage();
            }

            #[test]
            fn registers_reset_to_what_they_declare() {
                device_suite().resets();
            }

            #[test]
            fn every_bit_does_what_its_policy_says() {
                device_suite().policies();
            }

            #[test]
            fn parts_of_a_register_make_the_whole() {
                device_suite().parts();
            }

            #[test]
            fn an_access_changes_no_other_register() {
                device_suite().aliasing();
            }

            #[test]
            fn every_size_and_alignment_is_answered() {
                device_suite().accesses();
            }

            #[test]
            fn bars_tell_their_sizes() {
                device_suite().sizing();
            }

            #[test]
            fn the_capability_list_is_true() {
                device_suite().capabilities();
            }

            #[test]
            fn peeking_changes_nothing() {
                device_suite().inquiry();
            }

            #[test]
            fn a_reset_undoes_whatever_a_guest_does() {
                device_suite().scripts();
            }

            #[test]
            fn state_becomes_that_of_another_device() {
                device_suite().round_trips();
            }

            #[test]
            fn damaged_state_is_refused() {
                device_suite().damage();
            }
        }
    };
}

/// The tests of one device. Each test constructs devices of its own, and panics if their behaviour
/// differs from the declaration.
///
/// ```
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # #[bar(0: mem32, size = 0x1000)]
/// # struct Scratch {
/// #     #[reg(0x00)]
/// #     scratch: u32,
/// # }
/// # impl Device for Scratch {
/// #     type Event = ();
/// # }
/// use vfio_user::suite::Suite;
///
/// let coverage = Suite::new(Scratch::default).coverage();
/// let line = "scratch: 1 of 1 registers accessed; policies of 1 registers, 0 of 0 fields";
/// assert_eq!(coverage.to_string(), line);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Suite<D: PciDevice> {
    construct: fn() -> D,
    uses: &'static [Use<D>],
    excluded: &'static [&'static str],
    spared: Spared,
}

/// A function that drives a new device to a state that accesses to registers alone do not reach.
pub type Use<D> = fn(&mut Bench<D>);

impl<D: PciDevice> Suite<D> {
    /// Creates the tests for the devices that a function constructs.
    pub const fn new(construct: fn() -> D) -> Self {
        Suite { construct, uses: &[], excluded: &[], spared: Spared::NOTHING }
    }

    /// Calls each of these functions on the device before it is reset and before its state is
    /// saved.
    #[must_use]
    pub const fn used(mut self, uses: &'static [Use<D>]) -> Self {
        self.uses = uses;
        self
    }

    /// Excludes registers from all tests: `status`, `ring[3]`, or `ring` for all its elements.
    #[must_use]
    pub const fn exclude(mut self, names: &'static [&'static str]) -> Self {
        self.excluded = names;
        self
    }

    /// Names private fields that survive resets: `generation`, or `queues.generation` of a block;
    /// also timers that a new device arms and that a reset leaves disarmed.
    #[must_use]
    pub const fn sticky(mut self, names: &'static [&'static str]) -> Self {
        self.spared.sticky = names;
        self
    }

    /// Names private fields that survive function-level resets only.
    #[must_use]
    pub const fn keep_on_flr(mut self, names: &'static [&'static str]) -> Self {
        self.spared.keep_on_flr = names;
        self
    }

    /// Names private fields and timers that survive resets by the device itself
    /// ([`Cx::soft_reset`](crate::Cx::soft_reset)).
    #[must_use]
    pub const fn keep_on_soft(mut self, names: &'static [&'static str]) -> Self {
        self.spared.keep_on_soft = names;
        self
    }

    /// Names private fields and timers that the device's own threads change. They may differ on two
    /// devices with the same accesses.
    #[must_use]
    pub const fn volatile(mut self, names: &'static [&'static str]) -> Self {
        self.spared.volatile = names;
        self
    }

    /// Counts and prints the registers whose every bit [`policies`](Self::policies) tests. Fails if
    /// there are registers and none of them is tested.
    pub fn coverage(&self) -> Coverage {
        let bench = self.bench();
        self.spared.check(bench.function().descriptor());
        coverage::check(&bench, &self.elements(&bench), self.excluded)
    }

    /// Checks that registers hold their declared values at construction and after every kind of
    /// reset, or else the values that they were constructed with.
    pub fn resets(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        resets::check(&mut bench, &elements, &(self.construct)());
    }

    /// Checks that every bit of every register follows its policy, whichever bytes are accessed.
    pub fn policies(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        policies::check(&mut bench, &elements);
    }

    /// Checks that accesses to a register in parts, of any size and in any order, have the same
    /// effect as an access to the whole.
    pub fn parts(&self) {
        let elements = self.elements(&self.bench());
        parts::check(|| self.bench(), &elements);
    }

    /// Checks that an access to a register changes no other register. Exempts registers with hooks,
    /// whose purpose is to do so.
    pub fn aliasing(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        aliasing::check(&mut bench, &elements);
    }

    /// Checks that accesses of any size and alignment complete, and fail only as declared. The
    /// value read does not depend on the size of the accesses, memories and places without a model
    /// hold what is written, and mirrors and windows lead to the registers that they show.
    pub fn accesses(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        accesses::check(&mut bench, &elements);
        // Accesses to configuration space may have disabled the BARs.
        memory::check(&mut self.bench());
        unmodelled::check(&mut self.bench());
        mirrors::check(|| self.bench(), &elements);
        windows::check(|| self.bench(), &elements);
    }

    /// Checks that base address registers report the sizes of their BARs when sized as an operating
    /// system does.
    pub fn sizing(&self) {
        sizing::check(&mut self.bench());
    }

    /// Checks that the capability list ends, lies inside configuration space, and matches the
    /// declaration.
    pub fn capabilities(&self) {
        capabilities::check(&mut self.bench());
    }

    /// Checks that peeking changes nothing, and returns the poked values.
    pub fn inquiry(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        inquiry::check(&mut bench, &elements);
    }

    /// Checks that a reset returns the device to its constructed state, after any guest accesses
    /// and any time. This covers private fields that are saved, except those that are
    /// [`sticky`](Self::sticky), and armed timers. The test requests each kind of reset that the
    /// function has: by the client, by the guest as a function-level reset, by the transition from
    /// D3hot to D0, and by soft resets in each domain that is declared or that the accesses have
    /// used.
    pub fn scripts(&self) {
        for seed in 0..script::SEEDS {
            let mut bench = self.whole_bench();
            let elements = self.elements(&bench);
            script::check(&mut bench, &elements, self.spared, seed);
        }
        for drive in self.uses {
            let elements = self.elements(&self.bench());
            script::check_used(|| self.whole_bench(), &elements, self.spared, *drive);
        }
    }

    /// Checks that the state loads after any guest accesses, and that a device that loads it is
    /// identical: it holds and reads the same values, and behaves the same on later accesses and as
    /// time passes. Its timers continue, and no counter of time decreases. Exempts devices that do
    /// not migrate.
    pub fn round_trips(&self) {
        let bench = self.bench();
        if bench.function().descriptor().state().is_none() {
            return;
        }
        let (elements, spared) = (&self.elements(&bench), self.spared);
        for seed in 0..script::SEEDS {
            Pair::new(&|| self.bench(), elements, spared).check(seed);
        }
        for drive in self.uses {
            Pair::new(&|| self.whole_bench(), elements, spared).check_used(*drive);
        }
    }

    /// Checks that a damaged state is refused, and changes nothing.
    pub fn damage(&self) {
        let (mut source, mut target) = (self.bench(), self.bench());
        if source.function().descriptor().state().is_some() {
            let elements = self.elements(&source);
            migration::check_damage(&mut source, &mut target, &elements, &self.spared);
        }
    }

    /// Creates a bench without interrupts, since a test process has a limited number of
    /// descriptors.
    fn bench(&self) -> Bench<D> {
        on_bench(Bench::without_interrupts((self.construct)()))
    }

    fn whole_bench(&self) -> Bench<D> {
        on_bench(Bench::new((self.construct)()))
    }

    fn elements(&self, bench: &Bench<D>) -> Elements {
        Elements::of(bench.function().descriptor(), self.excluded)
    }
}

fn on_bench<D: PciDevice>(bench: Result<Bench<D>>) -> Bench<D> {
    bench.unwrap_or_else(|error| panic!("the device cannot be served: {error}"))
}
