//! Windows: registers that pass their accesses on to a BAR.

use tracing::Level;
use vfio_user::function::{Peek, PeekError};
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{
    Access, Bench, Cx, Device, PciDevice, Register, RegisterBlock, ResetKind, Virtual,
};

use crate::log::logged;

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Index {
    #[field(bits = 0..=15)]
    offset: u16,
    #[field(bits = 16..=18)]
    bar: u8,
    #[field(bit = 31)]
    hold: bool,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = EngineHost)]
struct Engine {
    #[reg(0x00)]
    at: u32,
    #[reg(0x04, window(at = at, bar = 0))]
    data: Virtual<u32>,
    #[reg(0x08, on_write = set)]
    value: u32,
}

/// A graphics card whose ports lead to all of its registers.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1002, device = 1, name = "gpu")]
#[bar(0: mem32, size = 0x4000, raw(0x100..0x200), shared(0x2000..0x3000))]
#[bar(1: io, size = 0x100, unmapped = ones)]
#[bar(2: mem32, size = 0x100, mirror = 0)]
#[bar(3: mem32, size = 0x100, unmapped = refuse, access = 4)]
struct Gpu {
    #[reg(0x00, ro, reset = 0x1234_5678)]
    id: u32,
    #[reg(0x04, w1c, reset = 0xff)]
    status: u32,
    #[reg(0x08, write_with = Self::start)]
    command: Virtual<u32>,
    #[reg(0x0c, rc, reset = 0xff)]
    counter: u16,
    #[reg(0x10, window(at = own))]
    inner: Virtual<u32>,
    #[reg(0x14)]
    own: u32,
    #[block(0x20, stride = 0x10)]
    engines: [Engine; 2],
    #[memory(0x80..0xa0)]
    buffer: [u8; 0x20],

    #[reg(0x00, bar = 1)]
    mm_index: u32,
    #[reg(0x04, bar = 1, window(at = mm_index, bar = 0))]
    mm_data: Virtual<u32>,
    #[reg(0x08, bar = 1)]
    index: Index,
    #[reg(0x10, bar = 1, window(at = index.offset, bar = index.bar, step = 4))]
    data: Virtual<u64>,
    #[reg(0x18, bar = 1, ro, window(at = mm_index, bar = 2))]
    shown: Virtual<u32>,
    #[reg(0x20, bar = 1)]
    length: u8,
    #[reg(0x24, bar = 1, window(at = mm_index, bar = 0, len = length))]
    part: Virtual<u32>,

    #[reg(0x00, bar = 3)]
    strict: u32,

    started: u32,
    served: u32,
}

impl Device for Gpu {
    type Event = ();

    fn access(
        &mut self,
        _: &mut Cx<'_, Self>,
        _: RegionIndex,
        _: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        match access {
            Access::Read(data) => data.fill(0x5a),
            Access::Write(_) => self.served += 1,
        }
        Ok(())
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.started, self.served) = (0, 0);
    }
}

impl EngineHost for Gpu {
    fn set(&mut self, _: &mut Cx<'_, Self>, index: usize, _: u32, _: u32) {
        self.started += 10 * u32::from(index == 1);
    }
}

impl Gpu {
    fn start(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.started += 1;
        if value == 0xdead {
            cx.soft_reset(self, 0);
        }
    }
}

mod generated {
    vfio_user::device_tests!(super::Gpu, super::Gpu::default);

    #[test]
    fn most_registers_are_accessed() {
        let coverage = device_suite().coverage();
        assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
    }
}

fn bench() -> Bench<Gpu> {
    Bench::new(Gpu::default()).expect("it can be served")
}

fn read_at(bench: &mut Bench<Gpu>, offset: u32) -> u32 {
    bench.write(1, 0x00, offset);
    bench.read(1, 0x04)
}

fn write_at(bench: &mut Bench<Gpu>, offset: u32, value: u32) {
    bench.write(1, 0x00, offset);
    bench.write(1, 0x04, value);
}

#[test]
fn a_window_shows_the_register_at_its_index() {
    let mut bench = bench();
    assert_eq!(read_at(&mut bench, 0x00), 0x1234_5678);
    write_at(&mut bench, 0x04, 0x0f);
    assert_eq!(bench.device().status, 0xf0);
    write_at(&mut bench, 0x08, 1);
    assert_eq!(bench.device().started, 1);
    assert_eq!((read_at(&mut bench, 0x0c), bench.device().counter), (0xff, 0));
    write_at(&mut bench, 0x38, 7);
    assert_eq!((bench.device().engines[1].value, bench.device().started), (7, 11));
}

#[test]
fn an_access_has_its_size_and_its_place() {
    let mut bench = bench();
    bench.write(1, 0x00, 0x00_u32);
    assert_eq!(bench.read::<u8>(1, 0x05), 0x56);
    assert_eq!(bench.read::<u16>(1, 0x06), 0x1234);
    bench.write(1, 0x00, 0x02_u32);
    assert_eq!(bench.read::<u16>(1, 0x04), 0x1234);
    bench.write(1, 0x00, 0x80_u32);
    bench.write(1, 0x05, 0xaa_u8);
    assert_eq!(bench.device().buffer[..3], [0, 0xaa, 0]);
}

#[test]
fn a_window_reaches_memory_and_raw_ranges() {
    let mut bench = bench();
    write_at(&mut bench, 0x80, 0x0403_0201);
    assert_eq!(bench.device().buffer[..4], [1, 2, 3, 4]);
    write_at(&mut bench, 0x2000, 5);
    assert_eq!(read_at(&mut bench, 0x2000), 5);
    assert_eq!(read_at(&mut bench, 0x100), 0x5a5a_5a5a);
    write_at(&mut bench, 0x100, 0);
    assert_eq!(bench.device().served, 1);
}

#[test]
fn what_it_does_not_reach_follows_the_rules_of_the_bar() {
    let mut bench = bench();
    assert_eq!((read_at(&mut bench, 0x60), read_at(&mut bench, 0xffff)), (0, 0));
    write_at(&mut bench, 0x3fff, u32::MAX);
    // The rules of a BAR that refuses, and of none.
    for (bar, offset) in [(3_u32, 0x40), (5, 0), (1, 0x80)] {
        bench.write(1, 0x08, bar << 16 | offset);
        assert_eq!(bench.read::<u64>(1, 0x10), u64::MAX, "{bar} {offset:#x}");
        bench.write(1, 0x10, 0_u64);
    }
    bench.write(1, 0x08, 3_u32 << 16);
    bench.write(1, 0x10, 0x1234_u32);
    bench.write(1, 0x08, 3_u32 << 16);
    bench.write(1, 0x10, 0xff_u8);
    assert_eq!(bench.device().strict, 0x1234, "it accepts four bytes");
}

#[test]
fn the_bar_may_be_in_a_register_and_the_index_may_move() {
    let mut bench = bench();
    bench.write(1, 0x08, 0x8000_0000_u32);
    let values = [0; 2].map(|_| bench.read::<u32>(1, 0x10));
    assert_eq!(values, [0x1234_5678, 0xff]);
    assert_eq!(bench.device().index.offset, 8);
    assert!(bench.device().index.hold, "the other fields stay");
    bench.write(1, 0x08, 0x8000_fffc_u32);
    bench.write(1, 0x10, 0_u32);
    assert_eq!((bench.device().index.offset, bench.device().index.bar), (0, 0));
    // A window of 64 bits over two registers.
    bench.write(1, 0x08, 0_u32);
    assert_eq!(bench.read::<u64>(1, 0x10), 0x0000_00ff_1234_5678);
}

#[test]
fn an_index_stays_where_a_reset_has_put_it() {
    let mut bench = bench();
    bench.write(1, 0x08, 0x08_u32);
    bench.write(1, 0x10, 0xdead_u32);
    assert_eq!(bench.device().index.offset, 0);
}

#[test]
fn a_window_may_show_fewer_bytes() {
    let mut bench = bench();
    bench.write(1, 0x00, 0_u32);
    assert_eq!(bench.read::<u32>(1, 0x24), 0);
    bench.write(1, 0x20, 2_u8);
    assert_eq!(bench.read::<u32>(1, 0x24), 0x5678);
    assert_eq!(bench.read::<u8>(1, 0x26), 0);
    bench.write(1, 0x00, 0x80_u32);
    bench.write(1, 0x24, u32::MAX);
    assert_eq!(bench.device().buffer[..4], [0xff, 0xff, 0, 0]);
}

#[test]
fn a_mirror_may_lie_behind_a_window() {
    let mut bench = bench();
    bench.write(1, 0x00, 0x04_u32);
    assert_eq!(bench.read::<u32>(1, 0x18), 0xff);
    bench.write(1, 0x18, 0xff_u32);
    assert_eq!(bench.device().status, 0xff, "the window is read-only");
    // Through the mirror, the window that shows its own BAR.
    bench.write(2, 0x14, 0x00_u32);
    assert_eq!(bench.read::<u32>(2, 0x10), 0x1234_5678);
}

#[test]
fn a_window_into_a_window_shows_nothing() {
    let mut bench = bench();
    bench.write(0, 0x14, 0x00_u32);
    assert_eq!(bench.read::<u32>(0, 0x10), 0x1234_5678);
    assert_eq!(read_at(&mut bench, 0x10), u32::MAX);
    bench.write(0, 0x14, 0x10_u32);
    assert_eq!(bench.read::<u32>(0, 0x10), u32::MAX, "not even into itself");
    assert_eq!(bench.peek("inner"), 0xffff_ffff);
    bench.write(0, 0x20, 0x10_u32);
    assert_eq!(bench.read::<u32>(0, 0x24), u32::MAX);
    let lines = logged(Level::WARN, || write_at(&mut bench, 0x24, 0));
    assert_eq!(
        lines,
        ["gpu.engines[0].data: access to BAR 0 ignored: a window is not reached through \
             another one"]
    );
}

#[test]
fn what_a_window_shows_is_peeked() {
    let mut bench = bench();
    bench.write(1, 0x08, 0x04_u32);
    assert_eq!(bench.function().peek("data"), Ok(Peek::Known(0xff)), "no step");
    bench.write(1, 0x00, 0x0c_u32);
    assert_eq!(bench.function().peek("mm_data"), Ok(Peek::Known(0xff)));
    let mut data = [0; 4];
    assert_eq!(bench.function().peek_at(1, 0x04, &mut data), Ok(true));
    assert_eq!((data, bench.device().counter), ([0xff, 0, 0, 0], 0xff));
    let poked = bench.function_mut().poke("mm_data", 1);
    assert_eq!(poked, Err(PeekError::NoStorage("mm_data")));
}

#[test]
fn traces_name_the_window_and_the_register() {
    let mut bench = bench();
    bench.write(1, 0x00, 0x04_u32);
    let lines = logged(Level::TRACE, || bench.write(1, 0x04, 0x0f_u32));
    assert_eq!(lines, ["gpu.mm_data: write of BAR 0 at 0x4", "gpu.status: 0xff -> 0xf0"]);
}

/// A virtio function: a capability through which firmware reaches BARs that it has not mapped
/// (`VIRTIO_PCI_CAP_PCI_CFG`, Virtual I/O Device 1.2, 4.1.4.9).
mod virtio {
    use super::{Bench, Device, PciDevice, RegisterBlock, Virtual};

    #[derive(Clone, Copy, Debug, Default, RegisterBlock)]
    struct PciCfg {
        #[reg(0x03, ro, reset = 5)]
        cfg_type: u8,
        #[reg(0x04)]
        bar: u8,
        #[reg(0x08)]
        offset: u32,
        #[reg(0x0c)]
        length: u32,
        #[reg(0x10, window(at = offset, bar = bar, len = length))]
        data: Virtual<u32>,
    }

    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1af4, device = 0x1042, name = "virtio")]
    #[bar(4: mem64, size = 0x1000)]
    struct Virtio {
        #[reg(0x04, ro, reset = 0x30)]
        device_feature: u32,
        #[reg(0x14)]
        device_status: u8,
        #[reg(0x16)]
        queue_select: u16,
        #[capability(vendor(whole))]
        pci_cfg: PciCfg,
    }

    impl Device for Virtio {
        type Event = ();
    }

    mod generated {
        vfio_user::device_tests!(super::Virtio, super::Virtio::default);

        #[test]
        fn most_registers_are_accessed() {
            let coverage = device_suite().coverage();
            assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
        }
    }

    #[test]
    fn a_capability_reaches_all_bars() {
        let mut bench = Bench::new(Virtio::default()).expect("it can be served");
        let at: u64 =
            bench.function().descriptor().find_capability(0x09).expect("it is there").into();
        // The header, of which the length is 20, and the type behind it.
        assert_eq!(bench.read_config::<u32>(at) & 0xffff_00ff, 0x0514_0009);
        // The guest has not enabled memory space.
        bench.write_config(0x04, 0_u16);
        let turn = |bench: &mut Bench<Virtio>, offset: u32, length: u32| {
            bench.write_config(at + 0x04, 4_u8);
            bench.write_config(at + 0x08, offset);
            bench.write_config(at + 0x0c, length);
        };
        turn(&mut bench, 0x04, 4);
        assert_eq!(bench.read_config::<u32>(at + 0x10), 0x30);
        turn(&mut bench, 0x14, 1);
        bench.write_config(at + 0x10, 0xffff_ff0f_u32);
        assert_eq!((bench.device().device_status, bench.device().queue_select), (0x0f, 0));
        turn(&mut bench, 0x16, 2);
        bench.write_config(at + 0x10, 3_u16);
        assert_eq!(bench.device().queue_select, 3);
        assert_eq!(bench.read_config::<u32>(at + 0x10), 3);
    }
}
