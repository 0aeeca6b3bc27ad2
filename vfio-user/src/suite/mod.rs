//! The tests that every device passes.
//!
//! [`device_tests!`](crate::device_tests) makes them tests of a crate. They need nothing but a
//! declaration: what each register does follows from it, and is compared with what the device does
//! on the bus, bit by bit.

mod accesses;
mod aliasing;
mod capabilities;
mod coverage;
mod element;
mod elements;
mod exempt;
mod guest_resets;
mod inquiry;
mod lane;
mod migration;
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

/// Makes the tests of [`suite`](crate::suite) tests of a device.
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
/// Registers that no test may touch say `test(exclude = all)`, or are excluded by name: `status`,
/// `ring[3]`, or `ring` for all its elements. Private fields that survive resets are `sticky =
/// ["generation"]`, those that survive function-level resets alone `keep_on_flr = ["owner"]`, those that
/// threads change `volatile = ["progress"]`; those of a block are `queues.progress`. What is tested, and
/// what is not and why, is one line of output of `cargo test -- --nocapture`.
///
/// Accesses to registers do not reach private state that changes by DMA or by what a thread posts. Functions
/// that use the device show that a reset clears that as well, and that it migrates:
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

/// The tests of one device. Each constructs devices of its own, and panics if they do not do what
/// they declare.
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
/// assert_eq!(coverage.to_string(), "scratch: 1 of 1 registers, 0 of 0 fields");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Suite<D: PciDevice> {
    construct: fn() -> D,
    uses: &'static [Use<D>],
    excluded: &'static [&'static str],
    spared: Spared,
}

/// Drives a new device to a state in which accesses to registers alone do not bring it.
pub type Use<D> = fn(&mut Bench<D>);

impl<D: PciDevice> Suite<D> {
    /// The tests of the devices that a function constructs.
    pub const fn new(construct: fn() -> D) -> Self {
        Suite { construct, uses: &[], excluded: &[], spared: Spared::NOTHING }
    }

    /// Uses the device before it is reset and before its state is saved, by each of these functions.
    #[must_use]
    pub const fn used(mut self, uses: &'static [Use<D>]) -> Self {
        self.uses = uses;
        self
    }

    /// Leaves registers alone: `status`, `ring[3]`, or `ring` for all its elements.
    #[must_use]
    pub const fn exclude(mut self, names: &'static [&'static str]) -> Self {
        self.excluded = names;
        self
    }

    /// Private fields that survive resets: `generation`, or `queues.generation` of a block. Of timers,
    /// those that a new device has armed and that are not armed after a reset.
    #[must_use]
    pub const fn sticky(mut self, names: &'static [&'static str]) -> Self {
        self.spared.sticky = names;
        self
    }

    /// Private fields that survive function-level resets and no others.
    #[must_use]
    pub const fn keep_on_flr(mut self, names: &'static [&'static str]) -> Self {
        self.spared.keep_on_flr = names;
        self
    }

    /// Private fields, and timers, that threads of the device's own change: they need not be the same
    /// on two devices that are accessed in the same way.
    #[must_use]
    pub const fn volatile(mut self, names: &'static [&'static str]) -> Self {
        self.spared.volatile = names;
        self
    }

    /// Counts, and prints, the registers whose every bit [`policies`](Self::policies) tests. There has
    /// to be one, if there are registers.
    pub fn coverage(&self) -> Coverage {
        let bench = self.bench();
        self.spared.check(bench.hosted().descriptor(), D::TIMERS);
        coverage::check(&bench, &self.elements(&bench), self.excluded)
    }

    /// At construction, and after every kind of reset, registers hold what they declare, or else what
    /// they were constructed with.
    pub fn resets(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        resets::check(&mut bench, &elements, &(self.construct)());
    }

    /// Every bit of every register does what its policy says, whichever bytes are accessed.
    pub fn policies(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        policies::check(&mut bench, &elements);
    }

    /// A register that is written, or read, in parts of any size and order is as one that was accessed
    /// as a whole.
    pub fn parts(&self) {
        let elements = self.elements(&self.bench());
        parts::check(|| self.bench(), &elements);
    }

    /// An access to a register changes no other. Those with hooks are exempt: that is what hooks are
    /// for.
    pub fn aliasing(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        aliasing::check(&mut bench, &elements);
    }

    /// Accesses of any size and alignment are answered, and refused only as declared; what they read
    /// does not depend on how they are made.
    pub fn accesses(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        accesses::check(&mut bench, &elements);
    }

    /// Base address registers tell the sizes of their BARs, as an operating system asks for them.
    pub fn sizing(&self) {
        sizing::check(&mut self.bench());
    }

    /// The capability list ends, lies inside configuration space, and tells the truth.
    pub fn capabilities(&self) {
        capabilities::check(&mut self.bench());
    }

    /// Peeking changes nothing, and finds what was poked.
    pub fn inquiry(&self) {
        let mut bench = self.bench();
        let elements = self.elements(&bench);
        inquiry::check(&mut bench, &elements);
    }

    /// Whatever a guest does, and however much time passes, a reset brings back the device as it was
    /// constructed: private fields that are saved, except those that are [`sticky`](Self::sticky), and
    /// armed timers as well. Each kind of reset that the function has is requested: by the client, by the
    /// guest as a function-level reset, and by the way from D3hot to D0.
    pub fn scripts(&self) {
        for seed in 0..script::SEEDS {
            let mut bench = on_bench(Bench::new((self.construct)()));
            let elements = self.elements(&bench);
            script::check(&mut bench, &elements, self.spared, seed);
        }
        for drive in self.uses {
            let construct = || on_bench(Bench::new((self.construct)()));
            script::check_used(construct, &self.elements(&self.bench()), self.spared, *drive);
        }
    }

    /// Whatever a guest does, the state loads, and another device that loads it is the same then: it
    /// holds and reads the same, and does the same with what a guest does next and when time passes: its
    /// timers go on, and no counter that follows the time goes back. A device that does not migrate is
    /// exempt.
    pub fn round_trips(&self) {
        if D::DESCRIPTOR.state().is_none() {
            return;
        }
        (0..script::SEEDS).for_each(|seed| self.with_pair(|pair| pair.check(seed)));
        for drive in self.uses {
            self.with_pair(|pair| pair.check_used(*drive));
        }
    }

    fn with_pair(&self, check: impl FnOnce(&mut Pair<'_, D>)) {
        let (source, target) = (self.bench(), self.bench());
        let elements = self.elements(&source);
        let (construct, spared) = (&|| self.bench(), self.spared);
        check(&mut Pair { source, target, construct, elements: &elements, spared });
    }

    /// State that was damaged on its way is refused, and changes nothing.
    pub fn damage(&self) {
        let (mut source, mut target) = (self.bench(), self.bench());
        if source.hosted().descriptor().state().is_some() {
            let elements = self.elements(&source);
            migration::check_damage(&mut source, &mut target, &elements);
        }
    }

    /// Without interrupts: a test process has only so many descriptors.
    fn bench(&self) -> Bench<D> {
        on_bench(Bench::without_interrupts((self.construct)()))
    }

    fn elements(&self, bench: &Bench<D>) -> Elements {
        Elements::of(bench.hosted().descriptor(), self.excluded)
    }
}

fn on_bench<D: PciDevice>(bench: Result<Bench<D>>) -> Bench<D> {
    bench.unwrap_or_else(|error| panic!("the device cannot be served: {error}"))
}
