//! Big-endian registers: the most significant byte has the lowest address.

use vfio_user::function::Peek;
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock, ResetKind, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 24..=31, w1c, reset = 0xff)]
    causes: u8,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Channel {
    #[reg(0x00, wide)]
    address: u64,
    #[reg(0x08)]
    lengths: [u16; 2],
}

/// A BAR in which all registers are big-endian, and one in which some are.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, name = "network")]
#[bar(0: mem32, size = 0x100, big)]
#[bar(1: mem32, size = 0x100, access = 2..=4, unaligned = ignore)]
struct Network {
    #[reg(0x00, on_write = Self::written)]
    word: u32,
    #[reg(0x04)]
    control: Control,
    #[reg(0x08, read_with = Self::count)]
    counter: Virtual<u64>,
    #[reg(0x10, port, read_with = Self::pop, write_with = Self::push)]
    port: Virtual<u32>,
    #[block(0x20, stride = 0x10)]
    channels: [Channel; 2],
    #[memory(0x80..0xa0)]
    buffer: [u8; 0x20],
    #[reg(0x00, bar = 1, big)]
    big: u32,
    #[reg(0x04, bar = 1)]
    little: u32,
    #[reg(0x08, bar = 1, big, wide(commit = low))]
    command: u64,
    #[reg(0x40, bar = config, big)]
    in_config: u32,
    #[migrate(skip)]
    values: Vec<u32>,
    #[migrate(skip)]
    bytes: Vec<u8>,
}

impl Device for Network {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.values.clear();
        self.bytes.clear();
    }
}

impl Network {
    fn written(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
        self.values.push(new);
    }

    fn count(_: &mut Self, _: &mut Cx<'_, Self>) -> u64 {
        0x0102_0304_0506_0708
    }

    fn pop(_: &mut Self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        data.copy_from_slice(&[1, 2, 3, 4][..data.len()]);
    }

    fn push(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        self.bytes = data.to_vec();
    }
}

mod generated {
    vfio_user::device_tests!(super::Network, super::Network::default);
}

fn bench() -> Bench<Network> {
    Bench::new(Network::default()).expect("it can be served")
}

fn read(bench: &mut Bench<Network>, region: RegionIndex, offset: u64, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    bench.try_read(region, offset, &mut data).expect("it is accepted");
    data
}

fn write(bench: &mut Bench<Network>, region: RegionIndex, offset: u64, data: &[u8]) {
    bench.try_write(region, offset, data).expect("it is accepted");
}

#[test]
fn the_first_byte_is_the_most_significant_one() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x00, &[0x12, 0x34, 0x56, 0x78]);
    assert_eq!(bench.device().word, 0x1234_5678);
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x00, 4), [0x12, 0x34, 0x56, 0x78]);
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x02, 2), [0x56, 0x78]);
}

#[test]
fn a_part_is_the_bytes_at_its_address() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x00, &[0x12, 0x34, 0x56, 0x78]);
    write(&mut bench, RegionIndex::Bar0, 0x01, &[0xaa]);
    write(&mut bench, RegionIndex::Bar0, 0x02, &[0xbb, 0xcc]);
    assert_eq!(bench.device().values, [0x1234_5678, 0x12aa_5678, 0x12aa_bbcc]);
}

#[test]
fn policies_act_on_the_accessed_bytes() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x04, &[0x0f]);
    assert_eq!(bench.device().control, Control { enable: false, causes: 0xf0 });
    write(&mut bench, RegionIndex::Bar0, 0x07, &[0x01]);
    assert_eq!(bench.device().control, Control { enable: true, causes: 0xf0 });
}

#[test]
fn an_access_to_two_registers_is_split() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x02, &[1, 2, 0xff, 0]);
    assert_eq!(bench.device().word, 0x0102);
    assert_eq!(bench.device().control.causes, 0);
}

#[test]
fn hooks_and_parts_of_a_computed_register_have_host_values() {
    let mut bench = bench();
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x08, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x0c, 4), [5, 6, 7, 8]);
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x09, 3), [2, 3, 4]);
}

#[test]
fn ports_and_memories_are_bytes() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x10, &[1, 2, 3, 4]);
    assert_eq!(bench.device().bytes, [1, 2, 3, 4]);
    assert_eq!(read(&mut bench, RegionIndex::Bar0, 0x10, 2), [1, 2]);
    write(&mut bench, RegionIndex::Bar0, 0x80, &[1, 2, 3, 4]);
    assert_eq!(bench.device().buffer[..4], [1, 2, 3, 4]);
}

#[test]
fn blocks_lie_in_big_endian_bars() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar0, 0x30, &[0, 0, 0, 1]);
    assert_eq!(bench.device().channels[1].address, 0);
    write(&mut bench, RegionIndex::Bar0, 0x34, &[0, 0, 0, 2]);
    assert_eq!(bench.device().channels[1].address, 0x1_0000_0002);
    write(&mut bench, RegionIndex::Bar0, 0x38, &[1, 2, 3, 4]);
    assert_eq!(bench.device().channels[1].lengths, [0x0102, 0x0304]);
}

#[test]
fn one_register_may_be_big_endian() {
    let mut bench = bench();
    write(&mut bench, RegionIndex::Bar1, 0x00, &[0x12, 0x34]);
    write(&mut bench, RegionIndex::Bar1, 0x04, &[0x12, 0x34]);
    assert_eq!((bench.device().big, bench.device().little), (0x1234_0000, 0x3412));
    // The lower half, with which it is stored, is the one at the higher address.
    write(&mut bench, RegionIndex::Bar1, 0x08, &[0, 0, 0, 1]);
    assert_eq!(bench.device().command, 0);
    write(&mut bench, RegionIndex::Bar1, 0x0c, &[0, 0, 0, 2]);
    assert_eq!(bench.device().command, 0x1_0000_0002);
}

#[test]
fn a_register_of_configuration_space_may_be_big_endian() {
    let mut bench = bench();
    bench.write_config(0x40, 0x7856_3412_u32);
    assert_eq!(bench.device().in_config, 0x1234_5678);
    assert_eq!(bench.read_config::<u8>(0x41), 0x34);
}

#[test]
fn bytes_are_peeked_and_poked_where_they_lie() {
    let mut bench = bench();
    bench.function_mut().poke_at(0, 0x00, &[0x12, 0x34]).expect("a register lies there");
    assert_eq!(bench.function().peek("word"), Ok(Peek::Known(0x1234_0000)));
    let mut data = [0; 2];
    assert_eq!(bench.function().peek_at(0, 0x01, &mut data), Ok(true));
    assert_eq!(data, [0x34, 0]);
}
