//! What registers do on the bus, through the way that a server takes.

use vfio_user::declaration::{Field, RegisterFlags, RegisterValue};
use vfio_user::function::Peek;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, Virtual};

/// A register with named fields, by hand.
#[derive(Clone, Copy, Default)]
struct Ctrl(u32);

impl RegisterValue for Ctrl {
    const WIDTH: u8 = 4;
    const FIELDS: &'static [Field] = &[Field::new("enable", 0, 1), Field::new("wlock", 4, 2)];

    fn to_bits(self) -> u64 {
        self.0.into()
    }

    fn from_bits(bits: u64) -> Self {
        Ctrl(u32::from_bits(bits))
    }
}

/// What a hook received.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Now,
    Read(u64),
    Write(u64),
    Stored(u64, u64),
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x1000, unmapped = ones, unaligned = ignore,
      access(0..0x80: 4, 0x80..0x100: 4..=8))]
#[bar(2: mem32, size = 0x1000, unmapped = refuse, access = 4)]
struct Zoo {
    #[reg(0x00, rc, on_read = Self::read32)]
    events: u32,
    #[reg(0x04, wrs)]
    armed: u32,
    #[reg(0x08, w1)]
    key: u32,
    #[reg(0x10, wide(commit = high), on_write = Self::stored)]
    address: u64,
    #[reg(0x18, wide, wo, write_with = Self::write)]
    descriptor: Virtual<u64>,
    #[reg(0x20, rc, wide, on_read = Self::read64)]
    ticks: u64,
    #[reg(0x28)]
    locked: u32,
    #[reg(0x2c, lock = locked, on_write = Self::stored32)]
    config: u32,
    #[reg(0x30, lock = locks)]
    limits: [u32; 2],
    #[reg(0x38)]
    locks: [u32; 2],
    #[reg(0x40, singlepulse, on_write = Self::stored32)]
    command: u32,
    #[reg(0x44, mask = 0xff00, writable = 0xf000)]
    narrow: u32,
    #[reg(0x48, volatile, ro, read_with = Self::now)]
    clock: Virtual<u32>,
    #[reg(0x50)]
    plain: u64,
    #[reg(0x58)]
    ctrl: Ctrl,
    #[reg(0x5c, lock = ctrl.wlock)]
    guarded: u32,
    #[reg(0x00, bar = 1)]
    word: u32,
    #[reg(0x80, bar = 1)]
    long: u64,
    #[reg(0x00, bar = 2)]
    strict: u32,
    #[migrate(skip)]
    calls: Vec<Call>,
}

impl Device for Zoo {
    type Event = ();
}

impl Zoo {
    fn read32(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.calls.push(Call::Read(value.into()));
    }

    fn read64(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.calls.push(Call::Read(value));
    }

    fn write(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.calls.push(Call::Write(value));
    }

    fn stored(&mut self, _: &mut Cx<'_, Self>, old: u64, new: u64) {
        self.calls.push(Call::Stored(old, new));
    }

    fn stored32(&mut self, _: &mut Cx<'_, Self>, old: u32, new: u32) {
        self.calls.push(Call::Stored(old.into(), new.into()));
    }

    fn now(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.calls.push(Call::Now);
        42
    }
}

fn bench(device: Zoo) -> Bench<Zoo> {
    Bench::new(device).expect("a bench needs descriptors and memory only")
}

#[test]
fn a_read_clears_the_whole_register_after_its_hook() {
    let mut bench = bench(Zoo { events: 0x1234_5678, ..Zoo::default() });
    assert_eq!(bench.read::<u8>(0, 0x01), 0x56);
    assert_eq!(bench.device().events, 0);
    assert_eq!(bench.device().calls, [Call::Read(0x1234_5678)]);
}

#[test]
fn a_read_sets_what_a_write_stores() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x04, 5_u32);
    assert_eq!(bench.read::<u32>(0, 0x04), 5);
    assert_eq!(bench.read::<u32>(0, 0x04), u32::MAX);
}

#[test]
fn a_write_once_register_takes_each_byte_once_until_a_reset() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x08, 0x11_u8);
    bench.write(0, 0x08, 0x2222_2222_u32);
    bench.write(0, 0x08, 0x3333_3333_u32);
    assert_eq!(bench.device().key, 0x2222_2211);
    bench.reset();
    bench.write(0, 0x08, 0x4444_4444_u32);
    assert_eq!(bench.device().key, 0x4444_4444);
}

#[test]
fn a_wide_register_is_stored_when_its_committing_half_is_written() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x10, 0x1111_1111_u32);
    assert_eq!(bench.device().address, 0);
    assert!(bench.device().calls.is_empty());
    bench.write(0, 0x14, 0x2222_2222_u32);
    assert_eq!(bench.device().calls, [Call::Stored(0, 0x2222_2222_1111_1111)]);
    bench.write(0, 0x10, 0x3333_3333_3333_3333_u64);
    assert_eq!(bench.device().address, 0x3333_3333_3333_3333);
    bench.write(0, 0x14, 0x4444_4444_u32);
    assert_eq!(bench.device().address, 0x4444_4444_3333_3333, "nothing waited any more");
}

#[test]
fn a_hook_that_replaces_the_store_gets_the_whole_wide_register() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x18, 1_u32);
    bench.write(0, 0x1c, 2_u32);
    assert_eq!(bench.device().calls, [Call::Write(0x2_0000_0001)]);
}

#[test]
fn reading_half_of_a_wide_register_fixes_the_other() {
    let mut bench = bench(Zoo { ticks: 0x5_0000_0006, ..Zoo::default() });
    assert_eq!(bench.read::<u32>(0, 0x20), 6);
    assert_eq!(bench.device().calls, [Call::Read(0x5_0000_0006)]);
    assert_eq!(bench.device().ticks, 0);
    assert_eq!(bench.read::<u32>(0, 0x24), 5);
    assert_eq!(bench.device().calls.len(), 1, "the hook runs once for the whole");
    assert_eq!(bench.read::<u64>(0, 0x20), 0);
}

#[test]
fn halves_of_a_plain_register_are_merged_at_once() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x50, 1_u32);
    assert_eq!(bench.device().plain, 1);
    bench.write(0, 0x54, 2_u32);
    assert_eq!(bench.device().plain, 0x2_0000_0001);
}

#[test]
fn a_locked_register_ignores_writes() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x2c, 1_u32);
    bench.write(0, 0x28, 0x100_u32);
    bench.write(0, 0x2c, 2_u32);
    assert_eq!(bench.device().config, 1);
    assert_eq!(bench.device().calls, [Call::Stored(0, 1)], "the hook is not called either");
    bench.write(0, 0x28, 0_u32);
    bench.write(0, 0x2c, 3_u32);
    assert_eq!(bench.device().config, 3);
}

#[test]
fn a_field_locks_alone() {
    let mut bench = bench(Zoo { ctrl: Ctrl(0x01), ..Zoo::default() });
    bench.write(0, 0x5c, 1_u32);
    bench.write(0, 0x58, 0x21_u32);
    bench.write(0, 0x5c, 2_u32);
    assert_eq!(bench.device().guarded, 1);
}

#[test]
fn each_element_has_its_own_lock() {
    let mut bench = bench(Zoo { locks: [0, 1], ..Zoo::default() });
    bench.write(0, 0x30, 0x2_0000_0001_u64);
    assert_eq!(bench.device().limits, [1, 0]);
}

#[test]
fn a_pulse_is_seen_by_its_hook_alone() {
    let mut bench = bench(Zoo::default());
    bench.write(0, 0x40, 3_u32);
    assert_eq!(bench.device().calls, [Call::Stored(0, 3)]);
    assert_eq!(bench.device().command, 0);
    assert_eq!(bench.read::<u32>(0, 0x40), 0);
}

#[test]
fn sizes_and_alignment_are_those_that_the_bar_accepts() {
    let mut bench = bench(Zoo::default());
    bench.write(1, 0x00, 0x1234_5678_u32);
    for (offset, size) in [(0x00, 1), (0x02, 2), (0x00, 8), (0x80, 2), (0x82, 4)] {
        let mut data = vec![0; size];
        assert_eq!(bench.try_read(RegionIndex::Bar1, offset, &mut data), Ok(()));
        assert_eq!(data, vec![0xff; size], "{size} bytes at {offset:#x}");
        assert_eq!(bench.try_write(RegionIndex::Bar1, offset, &data), Ok(()));
    }
    assert_eq!((bench.device().word, bench.device().long), (0x1234_5678, 0));
    bench.write(1, 0x80, 0x1111_2222_3333_4444_u64);
    assert_eq!(bench.read::<u32>(1, 0x84), 0x1111_2222);
}

#[test]
fn a_long_message_is_taken_as_accesses_that_the_bar_accepts() {
    let mut bench = bench(Zoo { word: 0x0403_0201, ..Zoo::default() });
    let mut data = [0; 12];
    assert_eq!(bench.try_read(RegionIndex::Bar1, 0x00, &mut data), Ok(()));
    assert_eq!(data, [1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn a_bar_that_refuses_answers_with_an_error() {
    let mut bench = bench(Zoo::default());
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x00, &[1; 4]), Ok(()));
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x00, &[2; 2]), Err(Errno::EINVAL));
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x00, &[2; 12]), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(RegionIndex::Bar2, 0x04, &mut [0; 4]), Err(Errno::EINVAL));
    assert_eq!(bench.device().strict, 0x0101_0101);
}

#[test]
fn peeking_changes_nothing_and_calls_no_hook() {
    let bench = bench(Zoo { events: 7, locks: [1, 2], ..Zoo::default() });
    let function = bench.function();
    assert_eq!(function.peek("events"), Ok(Peek::Known(7)));
    assert_eq!(function.peek("locks[1]"), Ok(Peek::Known(2)));
    assert_eq!(function.peek("clock"), Ok(Peek::Unreliable(0)));
    for unknown in ["event", "locks[2]", "locks[x]", "events.bit", ""] {
        assert!(function.peek(unknown).is_err(), "{unknown}");
    }
    let mut data = [0; 6];
    assert_eq!(function.peek_at(0, 0x00, &mut data), Ok(true));
    assert_eq!(data, [7, 0, 0, 0, 0, 0]);
    assert_eq!(function.peek_at(0, 0x48, &mut data), Ok(false));
    assert_eq!(function.peek_at(1, 0x04, &mut data), Ok(true));
    assert_eq!(data, [0xff; 6]);
    assert!(function.peek_at(2, 0x02, &mut data).is_err());
    assert!(function.peek_at(6, 0x00, &mut data).is_err());
    assert_eq!(bench.device().events, 7);
    assert!(bench.device().calls.is_empty());
}

#[test]
fn poking_stores_whatever_the_policy_says_and_calls_no_hook() {
    let mut bench = bench(Zoo { locked: 1, ..Zoo::default() });
    let function = bench.function_mut();
    assert_eq!(function.poke("events", 9), Ok(()));
    assert_eq!(function.poke("config", 8), Ok(()));
    assert_eq!(function.poke("limits[1]", 5), Ok(()));
    assert!(function.poke("narrow", 0x1_0000).is_err());
    assert!(function.poke("clock", 1).is_err());
    assert_eq!(function.poke_at(0, 0x44, &[0xff, 0xff]), Ok(()));
    assert!(function.poke_at(0, 0x44, &[0xee; 8]).is_err(), "a register without storage");
    let Zoo { events, config, limits, narrow, calls, .. } = bench.device();
    assert_eq!((*events, *config, *limits, *narrow), (9, 8, [0, 5], 0xff00));
    assert!(calls.is_empty());
}

#[test]
fn what_a_register_does_is_in_the_declaration() {
    let registers = Zoo::DESCRIPTOR.registers();
    let named = |name| registers.iter().find(|register| register.name() == name).unwrap();
    assert!(named("clock").is(RegisterFlags::VOLATILE));
    assert_eq!(named("config").lock().map(|lock| lock.register), Some(6));
    assert_eq!(Zoo::DESCRIPTOR.validate(), Ok(()));
}
