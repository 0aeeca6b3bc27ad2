//! Tests of the registers that keep their values over resets, and of resets that wait for memory.

use std::sync::atomic::AtomicU32;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;

use super::*;
use crate::device::Cx;
use crate::dma::{Accepted, AccessMode, NewRegion, Rights};
use crate::function::BackgroundWork as _;

#[derive(Default, vfio_user::PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Survivor {
    #[reg(0x00, reset = 1)]
    plain: u32,
    #[reg(0x04, reset = 2, reset(flr = keep))]
    kept: u32,
    #[reg(0x08, reset = 3, sticky)]
    sticky: u32,
    #[reg(0x0c, w1, sticky)]
    fuse: u32,
    #[reg(0x10, w1)]
    key: u32,
    #[reg(0x18, wide)]
    address: u64,
    #[reg(0x20, sticky)]
    constructed: u32,
    #[migrate(skip)]
    kinds: Vec<ResetKind>,
}

impl vfio_user::Device for Survivor {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        self.kinds.push(kind);
    }
}

fn written() -> PciFunction<Survivor> {
    let mut function =
        PciFunction::new(Survivor { constructed: 7, ..Survivor::default() }).unwrap();
    for offset in [0x00, 0x04, 0x08, 0x0c, 0x10, 0x18, 0x20] {
        function.write(RegionIndex::Bar0, offset, &[0xaa, 0, 0, 0]).unwrap();
    }
    function
}

fn values(function: &PciFunction<Survivor>) -> [u32; 6] {
    let Survivor { plain, kept, sticky, fuse, key, constructed, .. } = *function.device();
    [plain, kept, sticky, fuse, key, constructed]
}

/// Between hooks, none is accused of what takes long.
#[test]
fn no_hook_runs_once_it_has_returned() {
    #[derive(Default, vfio_user::PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "probe")]
    #[bar(0: mem32, size = 0x1000)]
    struct Probe {
        #[reg(0x00, wo, write_with = Self::written)]
        write: vfio_user::Virtual<u32>,
        #[timer(Self::rings)]
        alarm: vfio_user::Timer,
        #[migrate(skip)]
        running: Option<Arc<dyn fmt::Display + Send + Sync>>,
        #[migrate(skip)]
        seen: Vec<String>,
    }

    impl Probe {
        fn written(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
            self.see();
            assert!(value != 7, "as the test wants it");
            self.alarm.arm(cx, std::time::Duration::ZERO);
        }

        fn rings(&mut self, _: &mut Cx<'_, Self>) {
            self.see();
        }

        fn see(&mut self) {
            self.seen.extend(self.running.as_ref().map(ToString::to_string));
        }
    }

    impl vfio_user::Device for Probe {
        type Event = ();

        fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
            self.see();
        }
    }

    let mut function = PciFunction::new(Probe::default()).unwrap();
    let running = function.running_hook().unwrap();
    function.device_mut().running = function.running_hook();
    let is_idle = || assert_eq!(running.to_string(), "in the library");
    is_idle();
    function.write(RegionIndex::Bar0, 0, &1_u32.to_le_bytes()).unwrap();
    is_idle();
    function.work();
    is_idle();
    function.reset();
    is_idle();
    let seven = 7_u32.to_le_bytes();
    let write = std::panic::AssertUnwindSafe(|| function.write(RegionIndex::Bar0, 0, &seven));
    std::panic::catch_unwind(write).unwrap_err();
    is_idle();
    let [write, timer, reset] = ["write_with of probe.write", "timer alarm", "Device::reset"];
    assert_eq!(function.device().seen, [write, timer, reset, write]);
}

#[test]
fn a_reset_of_the_device_spares_sticky_registers() {
    let mut function = written();
    function.reset();
    assert_eq!(values(&function), [1, 2, 0xaa, 0xaa, 0, 0xaa]);
    assert_eq!(function.device().kinds, [ResetKind::Device]);
}

#[test]
fn a_function_level_reset_spares_what_asks_for_it_too() {
    let mut function = written();
    function.reset_by(ResetKind::FunctionLevel);
    assert_eq!(values(&function), [1, 0xaa, 0xaa, 0xaa, 0, 0xaa]);
    assert_eq!(function.device().kinds, [ResetKind::FunctionLevel]);
}

#[test]
fn a_write_once_register_can_be_written_again_when_its_value_is_gone() {
    let mut function = written();
    function.reset();
    for offset in [0x0c, 0x10] {
        function.write(RegionIndex::Bar0, offset, &[0xbb, 0, 0, 0]).unwrap();
    }
    assert_eq!((function.device().fuse, function.device().key), (0xaa, 0xbb));
}

#[test]
fn a_reset_forgets_half_of_a_wide_write() {
    let mut function = written();
    function.reset();
    function.write(RegionIndex::Bar0, 0x1c, &[1, 0, 0, 0]).unwrap();
    assert_eq!(function.device().address, 0);
    function.write(RegionIndex::Bar0, 0x18, &[2, 0, 0, 0]).unwrap();
    assert_eq!(function.device().address, 1 << 32 | 2);
}

/// A device with memory at address 0, for which the guest has requested a reset.
fn about_to_reset() -> PciFunction<Survivor> {
    let mut function = written();
    let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
    ftruncate(&file, 0x1000).unwrap();
    let (rights, file) = (Rights::all(), file.into());
    let region = NewRegion::file(0, 0x1000, rights, file, 0, AccessMode::Mapping, Accepted::Any);
    function.dma().add(region.unwrap()).unwrap();
    function.dma().set_bus_master(true);
    function.wanted_reset = Some(ResetKind::FunctionLevel);
    function
}

#[test]
fn a_guests_reset_waits_for_a_short_access_that_is_under_way() {
    let mut function = about_to_reset();
    let dma = function.dma().for_session();
    dma.atomic(0, |_: &AtomicU32| {
        function.reset_as_wanted();
        assert!(function.is_resetting());
        function.work();
        assert!(function.is_resetting());
    })
    .unwrap();
    function.work();
    assert!(!function.is_resetting());
    assert_eq!(function.device().kinds, [ResetKind::FunctionLevel]);
}

#[cfg(feature = "vm-memory")]
#[test]
fn a_guests_reset_waits_for_a_snapshot() {
    let mut function = about_to_reset();
    let memory = function.dma().memory();
    function.reset_as_wanted();
    assert!(function.is_resetting());
    drop(memory);
    function.work();
    assert!(!function.is_resetting());
}
