//! Private state that registers do not reach: the generated tests find what is wrong with it once
//! they are given a function that uses the device.

use vfio_user::suite::Suite;
use vfio_user::{Bench, Cx, Device, Error, PciDevice, ResetKind, Result, Virtual};

/// What is wrong with a device.
#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// No reset clears the count.
    Survives,
    /// A function-level reset does not.
    SurvivesFlr,
    /// Loading adds to the count.
    Grows,
    /// What follows from the count is not computed when it is loaded.
    NotComputed,
}

/// Counts the frames that it fetches. The memory of a bench holds none at first.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[capability(express(flr))]
struct Engine {
    #[reg(0x00, wo, write_with = Self::fetch)]
    frame: Virtual<u64>,
    #[reg(0x0c)]
    scratch: u32,
    #[reg(0x08, ro, read_with = Self::read_even)]
    even: Virtual<u32>,
    frames: u64,
    /// Follows from `frames`.
    #[migrate(skip)]
    is_odd: bool,
    #[migrate(skip)]
    fault: Fault,
}

impl Device for Engine {
    type Event = u64;

    fn event(&mut self, _: &mut Cx<'_, Self>, frames: u64) {
        self.frames += frames;
        self.is_odd = self.frames % 2 == 1;
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        let survives = match self.fault {
            Fault::Survives => true,
            Fault::SurvivesFlr => kind == ResetKind::FunctionLevel,
            _ => false,
        };
        if !survives {
            self.frames = 0;
            self.is_odd = false;
        }
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        if self.fault == Fault::Grows && self.frames > 0 {
            self.frames += 1;
        }
        if self.fault != Fault::NotComputed {
            self.is_odd = self.frames % 2 == 1;
        }
        if self.frames > 100 {
            return Err(Error::device("so many frames"));
        }
        Ok(())
    }
}

#[allow(clippy::unused_self, reason = "a hook is a method")]
impl Engine {
    fn fetch(&mut self, cx: &mut Cx<'_, Self>, iova: u64) {
        let mut frame = [0; 64];
        if cx.dma().read(iova, &mut frame).is_ok() && frame == FRAME {
            cx.post(1);
        }
    }

    fn read_even(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        u32::from(!self.is_odd)
    }
}

const FRAME: [u8; 64] = [1; 64];

fn receive(bench: &mut Bench<Engine>) {
    bench.write_memory(0x1000, &FRAME);
    bench.write(0, 0x00, 0x1000_u64);
    bench.handle_events();
    assert_eq!(bench.device().frames, 1);
}

fn suite<const FAULT: usize>() -> Suite<Engine> {
    const FAULTS: [Fault; 5] =
        [Fault::None, Fault::Survives, Fault::SurvivesFlr, Fault::Grows, Fault::NotComputed];
    Suite::new(|| Engine { fault: FAULTS[FAULT], ..Engine::default() })
}

/// All tests of state.
fn check(suite: &Suite<Engine>) {
    suite.scripts();
    suite.round_trips();
}

#[test]
fn a_device_that_is_right_passes() {
    check(&suite::<0>().used(&[receive]));
}

#[test]
fn accesses_alone_find_nothing() {
    for suite in [suite::<1>(), suite::<2>(), suite::<3>(), suite::<4>()] {
        check(&suite);
    }
}

#[test]
#[should_panic = "a script leaves something else in `frames` after a reset"]
fn what_no_reset_clears_is_found() {
    suite::<1>().used(&[receive]).scripts();
}

#[test]
#[should_panic = "clears it (by FunctionLevel)"]
fn what_a_function_level_reset_does_not_clear_is_found() {
    suite::<2>().used(&[receive]).scripts();
}

#[test]
#[should_panic = "`frames` is not what its source has"]
fn what_loading_changes_is_found() {
    suite::<3>().used(&[receive]).round_trips();
}

#[test]
#[should_panic = "where its source reads 0x0; `Device::loaded` restores what is not saved"]
fn what_loading_does_not_compute_is_found() {
    suite::<4>().used(&[receive]).round_trips();
}

/// Counts the frames of a ring, and interrupts for each: where the ring is migrates, what is in it
/// is the guest's.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Ring {
    #[reg(0x00, mask = 0xff000)]
    base: u32,
    #[reg(0x04, wo, write_with = Self::next)]
    doorbell: Virtual<u32>,
    #[reg(0x08, ro, volatile)]
    count: u32,
    position: u32,
}

impl Device for Ring {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.position = 0;
    }
}

impl Ring {
    fn next(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let mut frame = [0; 64];
        let at = u64::from(self.base) + u64::from(self.position % 8) * 64;
        if cx.dma().read(at, &mut frame).is_ok() && frame == FRAME {
            self.position += 1;
            self.count += 1;
            cx.irq(0).raise();
        }
    }
}

fn receive_from_ring(bench: &mut Bench<Ring>) {
    (0..8).for_each(|n| bench.write_memory(0x4000 + n * 64, &FRAME));
    bench.write(0, 0x00, 0x4000_u32);
    bench.write(0, 0x04, 1_u32);
    assert_eq!(bench.take_irq(0), 1);
}

/// Memory moves with the state, and functions that use a device may take its interrupts.
mod ring {
    vfio_user::device_tests!(super::Ring, super::Ring::default, used = [super::receive_from_ring]);
}

mod generated {
    vfio_user::device_tests!(super::Engine, super::Engine::default, used = [super::receive]);
}
