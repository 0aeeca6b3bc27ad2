//! Registers that are written and read in parts, through the way that a server takes.

use proptest::prelude::*;
use vfio_user::protocol::RegionIndex;
use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock, ResetKind, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
#[register(u32)]
struct Ring {
    #[field(bits = 0..=11)]
    size: u16,
    #[field(bit = 12, w1c)]
    error: bool,
    #[field(bits = 16..=27)]
    head: u16,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, read_with = base, write_with = set_base)]
    base: Virtual<u64>,
    #[reg(0x08, read_with = ring, write_with = set_ring)]
    ring: Virtual<Ring>,
    address: u64,
    shape: Ring,
}

/// Registers without storage over private fields, wherever registers can lie.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x1000, access = 1..=4)]
struct Windows {
    #[reg(0x00, read_with = Self::address, write_with = Self::set_address)]
    address: Virtual<u64>,
    #[reg(0x08, read_with = Self::entry, write_with = Self::set_entry)]
    table: [Virtual<u64>; 4],
    #[reg(0x28, read_with = Self::length, write_with = Self::set_length)]
    length: Virtual<u16>,
    #[reg(0x2c, reset = 0xaabb_ccdd, write_with = Self::constant_written)]
    constant: Virtual<u32>,
    #[reg(0x30, write_with = Self::set_stored)]
    stored: u64,
    #[reg(0x38, read_with = Self::complement, write_with = Self::set_complement)]
    complement: u64,
    #[reg(0x40, wo, write_with = Self::commanded)]
    command: Virtual<u32>,
    #[reg(0x48, mask = 0x00ff_00f0, read_with = Self::narrow, write_with = Self::set_narrow)]
    narrow: Virtual<u32>,
    #[reg(0x4c)]
    scratch: u32,
    #[reg(0x00, bar = 1, read_with = Self::address, write_with = Self::set_address)]
    behind: Virtual<u64>,
    #[reg(0x80, bar = config, read_with = Self::address, write_with = Self::set_address)]
    configured: Virtual<u64>,
    #[block(0x100, stride = 0x20)]
    queues: [Queue; 3],
    private: u64,
    entries: [u64; 4],
    bytes: u16,
    masked: u32,
    #[migrate(skip)]
    written: Vec<u32>,
}

impl Device for Windows {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.private, self.entries, self.bytes, self.masked) = (0, [0; 4], 0, 0);
        for queue in &mut self.queues {
            (queue.address, queue.shape) = (0, Ring::default());
        }
    }
}

impl Windows {
    fn address(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        self.private
    }

    fn set_address(&mut self, _: &mut Cx<'_, Self>, address: u64) {
        self.private = address;
    }

    fn entry(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u64 {
        self.entries[index]
    }

    fn set_entry(&mut self, _: &mut Cx<'_, Self>, index: usize, entry: u64) {
        self.entries[index] = entry;
    }

    fn length(&mut self, _: &mut Cx<'_, Self>) -> u16 {
        self.bytes
    }

    fn set_length(&mut self, _: &mut Cx<'_, Self>, bytes: u16) {
        self.bytes = bytes;
    }

    fn constant_written(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.written.push(value);
    }

    fn set_stored(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.stored = value;
    }

    fn complement(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        !self.complement
    }

    fn set_complement(&mut self, _: &mut Cx<'_, Self>, value: u64) {
        self.complement = value;
    }

    fn commanded(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.written.push(value);
    }

    fn narrow(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.masked
    }

    fn set_narrow(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.masked = value;
    }
}

impl QueueHost for Windows {
    fn base(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u64 {
        self.queues[index].address
    }

    fn set_base(&mut self, _: &mut Cx<'_, Self>, index: usize, base: u64) {
        self.queues[index].address = base;
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>, index: usize) -> Ring {
        self.queues[index].shape
    }

    fn set_ring(&mut self, _: &mut Cx<'_, Self>, index: usize, ring: Ring) {
        // The bus value: the bit that ones clear is what was written, all others are the register.
        self.queues[index].shape = Ring { error: self.queues[index].shape.error, ..ring };
        self.queues[index].shape.error &= !ring.error;
    }
}

fn windows() -> Bench<Windows> {
    Bench::new(Windows::default()).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Space {
    Bar(u8),
    Config,
}

fn write(bench: &mut Bench<Windows>, space: Space, offset: u64, bytes: &[u8]) {
    let largest = if matches!(space, Space::Bar(1)) { 4 } else { 8 };
    let region = match space {
        Space::Bar(bar) => RegionIndex::ALL[usize::from(bar)],
        Space::Config => RegionIndex::Config,
    };
    for (at, len) in split(bytes.len(), largest) {
        let written = bench.try_write(region, offset + at as u64, &bytes[at..at + len]);
        assert_eq!(written, Ok(()), "{region} {offset:#x}");
    }
}

/// Bytes as accesses of a processor.
fn split(len: usize, largest: usize) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < len {
        let fits = |size: &usize| *size <= largest && at + size <= len;
        let size = [8, 4, 2, 1].into_iter().find(fits).unwrap();
        parts.push((at, size));
        at += size;
    }
    parts
}

/// Writes `bytes` in parts that end at `cuts`, in the order of `order`.
fn write_in_parts(
    bench: &mut Bench<Windows>,
    (space, offset): (Space, u64),
    bytes: &[u8],
    cuts: &[usize],
    order: &[usize],
) {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % bytes.len()).chain([bytes.len()]).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    let mut parts = Vec::new();
    for end in ends {
        parts.push((start, end));
        start = end;
    }
    parts.sort_by_key(|(start, _)| order[*start]);
    for (start, end) in parts {
        write(bench, space, offset + start as u64, &bytes[start..end]);
    }
}

/// Where 64-bit addresses lie.
const ADDRESSES: [(Space, u64); 11] = [
    (Space::Bar(0), 0x00),
    (Space::Bar(0), 0x08),
    (Space::Bar(0), 0x10),
    (Space::Bar(0), 0x20),
    (Space::Bar(0), 0x30),
    (Space::Bar(0), 0x38),
    (Space::Bar(1), 0x00),
    (Space::Config, 0x80),
    (Space::Bar(0), 0x100),
    (Space::Bar(0), 0x120),
    (Space::Bar(0), 0x140),
];

/// What a device holds at one of the `ADDRESSES`.
fn held(bench: &Bench<Windows>, place: usize) -> u64 {
    let device = bench.device();
    match place {
        0 | 6 | 7 => device.private,
        1 => device.entries[0],
        2 => device.entries[1],
        3 => device.entries[3],
        4 => device.stored,
        5 => device.complement,
        _ => device.queues[place - 8].address,
    }
}

proptest! {
    #[test]
    fn an_address_may_be_written_in_any_parts_and_order(
        place in 0..ADDRESSES.len(),
        old: u64,
        new: u64,
        cuts in prop::collection::vec(0_usize..8, 0..8),
        order in Just((0_usize..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut bench = windows();
        let at = ADDRESSES[place];
        write_in_parts(&mut bench, at, &old.to_le_bytes(), &[4], &[0, 1, 2, 3, 4, 5, 6, 7]);
        prop_assert_eq!(held(&bench, place), old);
        write_in_parts(&mut bench, at, &new.to_le_bytes(), &cuts, &order);
        prop_assert_eq!(held(&bench, place), new);
    }

    #[test]
    fn bytes_that_are_not_written_stay(
        place in 0..ADDRESSES.len(),
        old: u64,
        new: u64,
        first in 0_usize..8,
        len in 1_usize..8,
    ) {
        let mut bench = windows();
        let (space, offset) = ADDRESSES[place];
        write(&mut bench, space, offset, &old.to_le_bytes());
        let mut expected = old.to_le_bytes();
        let written = first..(first + len).min(8);
        expected[written.clone()].copy_from_slice(&new.to_le_bytes()[written.clone()]);
        for at in written {
            write(&mut bench, space, offset + at as u64, &expected[at..=at]);
        }
        prop_assert_eq!(held(&bench, place), u64::from_le_bytes(expected));
    }
}

#[test]
fn a_driver_writes_the_halves_of_addresses_in_either_order() {
    for (place, (space, offset)) in ADDRESSES.into_iter().enumerate() {
        for halves in [[0, 4], [4, 0]] {
            let mut bench = windows();
            write(&mut bench, space, offset, &0x1111_2222_3333_4444_u64.to_le_bytes());
            let bytes = 0x5555_6666_7777_8888_u64.to_le_bytes();
            for half in halves {
                write(&mut bench, space, offset + half as u64, &bytes[half..half + 4]);
            }
            assert_eq!(held(&bench, place), 0x5555_6666_7777_8888, "{space:?} {offset:#x}");
        }
    }
}

#[test]
fn a_register_that_a_hook_computes_is_merged_with_what_it_reads_as() {
    let mut bench = windows();
    bench.write(0, 0x28, 0x1234_u16);
    bench.write(0, 0x29, 0x56_u8);
    assert_eq!(bench.device().bytes, 0x5634);
    bench.write(0, 0x48, 0xff55_ffaa_u32);
    assert_eq!(bench.device().masked, 0x0055_00a0);
    bench.write(0, 0x48, 0x30_u8);
    assert_eq!(bench.device().masked, 0x0055_0030, "what is reserved is not given to hooks");
}

#[test]
fn a_constant_is_merged_with_its_reset_value() {
    let mut bench = windows();
    bench.write(0, 0x2d, 0x11_u8);
    bench.write(0, 0x2e, 0x2222_u16);
    bench.write(0, 0x2c, 0x3333_3333_u32);
    assert_eq!(bench.device().written, [0xaabb_11dd, 0x2222_ccdd, 0x3333_3333]);
}

#[test]
fn what_cannot_be_read_is_merged_with_zeros() {
    let mut bench = windows();
    bench.write(0, 0x40, 0x1111_1111_u32);
    bench.write(0, 0x42, 0x22_u8);
    assert_eq!(bench.device().written, [0x1111_1111, 0x0022_0000]);
}

#[test]
fn ones_that_clear_are_not_written_back() {
    let mut bench = windows();
    bench.write(0, 0x108, 0x0123_0abc_u32);
    let device = bench.device();
    assert_eq!(device.queues[0].shape, Ring { size: 0xabc, error: false, head: 0x123 });
    // A register of the same type whose error has happened.
    let shape = Ring { size: 1, error: true, head: 2 };
    let queue = Queue { shape, ..Queue::default() };
    let queues = [queue, Queue::default(), Queue::default()];
    let mut bench = Bench::new(Windows { queues, ..Windows::default() }).unwrap();
    bench.write(0, 0x10a, 0x0777_u16);
    let expected = Ring { size: 1, error: true, head: 0x777 };
    assert_eq!(bench.device().queues[0].shape, expected, "the other half was not written");
    bench.write(0, 0x109, 0x10_u8);
    assert_eq!(bench.device().queues[0].shape, Ring { size: 1, error: false, head: 0x777 });
}

/// What a hook was given.
#[derive(Clone, Copy, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Reserved {
    #[reg(0x00, mask = 0x0000_f0ff, write_with = Self::integer)]
    integer: Virtual<u32>,
    #[reg(0x04, write_with = Self::named)]
    named: Virtual<Narrow>,
    #[reg(0x08, wo, mask = 0x0000_f0ff, write_with = Self::integer)]
    command: Virtual<u32>,
    #[reg(0x0c, mask = 0x0000_f0ff, write_with = Self::stored_integer)]
    stored: u32,
    given: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Narrow {
    #[field(bits = 0..=7)]
    low: u8,
    #[field(bits = 12..=15)]
    high: u8,
}

impl Device for Reserved {
    type Event = ();
}

impl Reserved {
    fn integer(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.given = value;
    }

    fn stored_integer(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        (self.given, self.stored) = (value, value);
    }

    fn named(&mut self, _: &mut Cx<'_, Self>, value: Narrow) {
        self.given = value.into();
    }
}

#[test]
fn hooks_are_not_given_reserved_bits_whatever_the_type() {
    for offset in [0x00, 0x04, 0x08, 0x0c] {
        for value in [u32::MAX, 0x0f00_1234, 0xffff_0f00, 0x5678] {
            let mut bench = Bench::new(Reserved::default()).unwrap();
            bench.write(0, offset, value);
            assert_eq!(bench.device().given, value & 0xf0ff, "{value:#x} at {offset:#x}");
        }
    }
}

mod suite {
    vfio_user::device_tests!(super::Windows, super::Windows::default);
}
