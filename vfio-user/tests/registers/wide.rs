//! Wide registers: what is written in parts takes effect as a whole, and what is read in parts is
//! of one moment.

use proptest::prelude::*;
use vfio_user::declaration::RegisterValue;
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, ResetKind, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = Counters)]
struct Channel {
    #[reg(0x00, rc, wide, on_read = taken)]
    packets: u64,
    #[reg(0x08, wide, write_with = start)]
    start: Virtual<u64>,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Nic {
    #[reg(0x00, wide, on_write = Self::stored)]
    any: u64,
    #[reg(0x08, wide(commit = high), on_write = Self::stored)]
    high: u64,
    #[reg(0x10, wide(commit = low), on_write = Self::stored)]
    low: u64,
    #[reg(0x18, wide(commit = last), on_write = Self::stored)]
    last: u64,
    #[reg(0x20, wide, write_with = Self::stored_by_hook, read_with = Self::address)]
    hooked: Virtual<u64>,
    #[reg(0x28, wide(commit = low), write_with = Self::stored_by_hook, read_with = Self::address)]
    hooked_low: Virtual<u64>,
    #[reg(0x30, ro, volatile, read_with = Self::now)]
    clock: Virtual<u64>,
    #[reg(0x38, ro, volatile, read_with = Self::short_now)]
    short: Virtual<u32>,
    #[reg(0x3c, ro, volatile, read_with = Self::elements)]
    elements: [Virtual<u16>; 2],
    #[reg(0x40, wrc, wide, on_read = Self::was_read)]
    taken: u64,
    #[reg(0x48)]
    lock: u32,
    #[reg(0x50, wide, lock = lock)]
    locked: u64,
    #[reg(0x80, bar = config, wide)]
    configured: u64,
    #[reg(0x88, bar = config, rc, wide)]
    cleared: u64,
    #[block(0x100, stride = 0x20)]
    channels: [Channel; 2],
    private: u64,
    ticks: u64,
    #[migrate(skip)]
    stores: Vec<(u64, u64)>,
    #[migrate(skip)]
    reads: Vec<u64>,
}

impl Device for Nic {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.private, self.ticks) = (0, 0);
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        self.channels[0].packets = self.channels[0].packets.wrapping_add(1);
        self.taken += 1;
        self.cleared += 1;
    }
}

impl Nic {
    fn stored(&mut self, _: &mut Cx<'_, Self>, old: u64, new: u64) {
        self.stores.push((old, new));
    }

    fn stored_by_hook(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.stores.push((self.private, value));
        self.private = value;
    }

    fn address(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        self.private
    }

    /// Both halves change with every look.
    fn now(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        self.ticks += 0x1_0000_0001;
        self.ticks
    }

    fn short_now(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.ticks += 0x0101_0101;
        u32::from_bits(self.ticks)
    }

    fn elements(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u16 {
        self.ticks += 0x0101;
        u16::from_bits(self.ticks ^ (index as u64) << 15)
    }

    fn was_read(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.reads.push(value);
    }
}

impl Counters for Nic {
    fn taken(&mut self, _: &mut Cx<'_, Self>, _: usize, value: u64) {
        self.reads.push(value);
    }

    fn start(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u64) {
        self.stores.push((index as u64, value));
    }
}

fn nic() -> Bench<Nic> {
    Bench::new(Nic::default()).unwrap()
}

fn halves(offset: u64, order: [u64; 2], value: u64) -> [(u64, u32); 2] {
    order.map(|half| (offset + half * 4, u32::from_bits(value >> (half * 32))))
}

fn write_halves(bench: &mut Bench<Nic>, offset: u64, order: [u64; 2], value: u64) {
    for (at, half) in halves(offset, order, value) {
        bench.write(0, at, half);
    }
}

#[test]
fn a_wide_register_takes_its_halves_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let mut bench = nic();
        for value in [0x1111_1111_2222_2222, 0x3333_3333_4444_4444] {
            let old = bench.device().any;
            let [(first, half), (second, other)] = halves(0x00, order, value);
            bench.write(0, first, half);
            assert_eq!(bench.device().any, old, "nothing is stored before all is written");
            assert_eq!(bench.read::<u64>(0, 0x00), old);
            bench.write(0, second, other);
            assert_eq!(bench.device().any, value);
            assert_eq!(bench.device().stores.last(), Some(&(old, value)));
        }
        assert_eq!(bench.device().stores.len(), 2, "one store a value");
        bench.write(0, 0x00, 0x5555_u64);
        assert_eq!(bench.device().any, 0x5555, "all at once");
    }
}

#[test]
fn one_half_commits_if_that_is_declared() {
    for (offset, committing) in [(0x08, 1), (0x10, 0), (0x18, 1)] {
        let mut bench = nic();
        let stored = |bench: &Bench<Nic>| match offset {
            0x08 => bench.device().high,
            0x10 => bench.device().low,
            _ => bench.device().last,
        };
        let order = [1 - committing, committing];
        write_halves(&mut bench, offset, order, 0x1111_1111_2222_2222);
        assert_eq!(stored(&bench), 0x1111_1111_2222_2222);
        assert_eq!(bench.device().stores.len(), 1, "{offset:#x}");
        // The committing half alone leaves the other one as it is.
        bench.write(0, offset + committing * 4, 0x3333_3333_u32);
        let half = 0xffff_ffff << (committing * 32);
        let expected = (0x1111_1111_2222_2222 & !half) | (0x3333_3333_3333_3333 & half);
        assert_eq!(stored(&bench), expected, "{offset:#x}");
        // Two bytes of it are not yet that half.
        bench.write(0, offset + committing * 4, 0x4444_u16);
        assert_eq!(stored(&bench), expected);
        bench.write(0, offset + committing * 4 + 2, 0x5555_u16);
        let written = 0x5555_4444 << (committing * 32);
        assert_eq!(stored(&bench), (expected & !half) | written);
    }
}

#[test]
fn hooks_get_the_whole_once() {
    let mut bench = nic();
    write_halves(&mut bench, 0x20, [1, 0], 0x1_0000_0002);
    assert_eq!(bench.device().stores, [(0, 0x1_0000_0002)]);
    write_halves(&mut bench, 0x28, [1, 0], 0x3_0000_0004);
    bench.write(0, 0x28, 5_u32);
    let expected =
        [(0, 0x1_0000_0002), (0x1_0000_0002, 0x3_0000_0004), (0x3_0000_0004, 0x3_0000_0005)];
    assert_eq!(bench.device().stores, expected, "the other half is what it reads as");
    write_halves(&mut bench, 0x128, [1, 0], 0x7_0000_0008);
    assert_eq!(bench.device().stores.last(), Some(&(1, 0x7_0000_0008)));
}

#[test]
fn a_counter_is_not_torn() {
    for order in [[0, 1], [1, 0]] {
        let mut bench = nic();
        for _ in 0..3 {
            let parts = order.map(|half| (half, bench.read::<u32>(0, 0x30 + half * 4)));
            let value =
                parts.iter().fold(0, |all, (half, part)| all | u64::from(*part) << (half * 32));
            assert_eq!(value, bench.device().ticks);
            assert_eq!(value >> 32, value & 0xffff_ffff);
        }
        let bytes: Vec<_> = (0..4).rev().map(|at| bench.read::<u8>(0, 0x38 + at)).collect();
        let expected = u32::from_bits(bench.device().ticks).to_be_bytes();
        assert_eq!(bytes, expected, "registers of every width");
    }
}

#[test]
fn the_elements_of_an_array_have_a_latch_each() {
    let mut bench = nic();
    let [a, b] = [0x3c, 0x3e].map(|at| bench.read::<u8>(0, at));
    let [c, d] = [0x3f, 0x3d].map(|at| bench.read::<u8>(0, at));
    assert_eq!([a, d], [1, 1]);
    assert_eq!([b, c], [2, 2 | 0x80]);
}

#[test]
fn a_part_that_is_read_again_is_read_anew() {
    let mut bench = nic();
    let polled: Vec<_> = (0..4).map(|_| bench.read::<u32>(0, 0x30)).collect();
    assert_eq!(polled, [1, 2, 3, 4]);
    assert_eq!(bench.read::<u32>(0, 0x34), 4, "the other half of the last one");
    assert_eq!(bench.read::<u64>(0, 0x30), 0x5_0000_0005);
    assert_eq!(bench.read::<u32>(0, 0x34), 6, "nothing is left of a whole read");
}

#[test]
fn nothing_is_lost_of_what_reading_clears() {
    for (offset, order) in [(0x100, [0, 1]), (0x100, [1, 0]), (0x40, [0, 1]), (0x40, [1, 0])] {
        let mut device = Nic::default();
        (device.channels[0].packets, device.taken) = (0xffff_ffff, 0xffff_ffff);
        let mut bench = Bench::new(device).unwrap();
        let mut total = 0;
        for _ in 0..5 {
            for half in order {
                let part = bench.read::<u32>(0, offset + half * 4);
                total += u64::from(part) << (half * 32);
                // A packet between any two reads.
                bench.post(());
                bench.handle_events();
            }
        }
        total += bench.read::<u64>(0, offset);
        assert_eq!(total, 0xffff_ffff + 10, "{offset:#x} {order:?}");
        let seen: u64 = bench.device().reads.iter().sum();
        assert_eq!(seen, total, "the hook sees each value once");
    }
}

#[test]
fn registers_of_configuration_space_are_wide_too() {
    let mut bench = nic();
    bench.write_config(0x84, 2_u32);
    assert_eq!(bench.device().configured, 0);
    bench.write_config(0x80, 1_u32);
    assert_eq!(bench.device().configured, 0x2_0000_0001);
    bench.poke("cleared", 0x3_0000_0004);
    assert_eq!(bench.read_config::<u32>(0x8c), 3);
    bench.post(());
    bench.handle_events();
    assert_eq!(bench.read_config::<u32>(0x88), 4);
    assert_eq!(bench.read_config::<u64>(0x88), 1);
}

#[test]
fn a_locked_register_forgets_the_part_that_waits() {
    let mut bench = nic();
    bench.write(0, 0x50, 1_u32);
    bench.write(0, 0x48, 1_u32);
    bench.write(0, 0x54, 2_u32);
    bench.write(0, 0x48, 0_u32);
    bench.write(0, 0x54, 3_u32);
    assert_eq!(bench.device().locked, 0);
    bench.write(0, 0x50, 4_u32);
    assert_eq!(bench.device().locked, 0x3_0000_0004);
}

#[test]
fn a_write_is_seen_by_the_next_read_of_any_part() {
    let mut bench = nic();
    bench.write(0, 0x20, 0x1_0000_0001_u64);
    assert_eq!(bench.read::<u32>(0, 0x20), 1);
    bench.write(0, 0x20, 0x2_0000_0002_u64);
    assert_eq!(bench.read::<u32>(0, 0x24), 2);
    bench.write(0, 0x00, 0x3_0000_0003_u64);
    assert_eq!(bench.read::<u32>(0, 0x00), 3);
    bench.poke("any", 0x4_0000_0004);
    assert_eq!(bench.read::<u32>(0, 0x04), 4);
}

#[test]
fn a_write_that_changes_nothing_loses_nothing() {
    let mut device = Nic::default();
    device.channels[0].packets = 0x5_0000_0006;
    let mut bench = Bench::new(device).unwrap();
    assert_eq!(bench.read::<u32>(0, 0x100), 6);
    bench.write(0, 0x100, 0_u64);
    assert_eq!(bench.read::<u32>(0, 0x104), 5, "it is read-only");
}

#[test]
fn every_reset_forgets_what_waits() {
    for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState] {
        let mut bench = nic();
        bench.write(0, 0x00, 1_u32);
        bench.read::<u32>(0, 0x30);
        bench.reset_by(kind);
        bench.write(0, 0x04, 2_u32);
        assert_eq!(bench.device().any, 0);
        let ticks = bench.device().ticks;
        assert_eq!(u64::from(bench.read::<u32>(0, 0x34)), (ticks >> 32) + 1);
    }
}

#[test]
fn what_waits_migrates() {
    let mut source = nic();
    source.write(0, 0x04, 2_u32);
    source.write(0, 0x124, 7_u32);
    source.poke("channels[1].packets", 0x1_0000_0002);
    assert_eq!(source.read::<u32>(0, 0x30), 1);
    assert_eq!(source.read::<u8>(0, 0x3e), 2);
    assert_eq!(source.read::<u16>(0, 0x126), 0);
    let mut target = nic();
    target.read::<u32>(0, 0x38);
    target.load(&source.save()).unwrap();
    assert_eq!(target.save(), source.save());
    for bench in [&mut source, &mut target] {
        bench.write(0, 0x00, 1_u32);
        assert_eq!(bench.device().any, 0x2_0000_0001);
        assert_eq!(bench.read::<u32>(0, 0x34), 1, "of the moment before it moved");
        assert_eq!(bench.read::<u8>(0, 0x3f), 0x81);
        assert_eq!(bench.read::<u32>(0, 0x120), 2);
        assert_eq!(bench.read::<u16>(0, 0x124), 1);
    }
}

proptest! {
    #[test]
    fn bytes_may_be_written_in_any_order(
        old: u64,
        new: u64,
        order in Just((0_u64..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut bench = nic();
        bench.write(0, 0x00, old);
        for (count, at) in order.into_iter().enumerate() {
            let expected = (old, count);
            prop_assert_eq!((bench.device().any, count), expected);
            bench.write(0, at, u8::from_bits(new >> (at * 8)));
        }
        prop_assert_eq!(bench.device().any, new);
        prop_assert_eq!(bench.device().stores.clone(), [(0, old), (old, new)]);
    }

    #[test]
    fn bytes_may_be_read_in_any_order(
        order in Just((0_u64..8).collect::<Vec<_>>()).prop_shuffle(),
        start: u64,
    ) {
        let mut bench = Bench::new(Nic { ticks: start >> 2, ..Nic::default() }).unwrap();
        let mut value = 0;
        for at in order {
            value |= u64::from(bench.read::<u8>(0, 0x30 + at)) << (at * 8);
        }
        prop_assert_eq!(value, bench.device().ticks);
        prop_assert_eq!(value, (start >> 2) + 0x1_0000_0001);
    }
}

mod suite {
    vfio_user::device_tests!(super::Nic, super::Nic::default);
}
