//! Ports, whose hooks receive the bytes of each access, and the queues behind them.

use proptest::prelude::*;
use vfio_user::migration::WireType;
use vfio_user::protocol::RegionIndex;
use vfio_user::suite::Suite;
use vfio_user::{Bench, Cx, Device, Fifo, PciDevice, RegisterBlock, ResetKind, Virtual};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x8029, name = "serial")]
#[bar(0: io, size = 0x100)]
struct Serial {
    #[reg(0x00)]
    before: u16,
    #[reg(0x04, port, lock = locked, read_with = Self::pop, write_with = Self::push)]
    data: Virtual<u32>,
    #[reg(0x08)]
    locked: u8,
    #[reg(0x10, port, wo, write_with = Self::push_wide)]
    wide: Virtual<u64>,
    #[reg(0x18, port, ro, read_with = Self::index)]
    indices: [Virtual<u16>; 2],
    #[block(0x20)]
    lines: [Line; 2],
    fifo: Fifo<u8, 16>,
    overrun: u8,
    accesses: u32,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = LineHost)]
struct Line {
    #[reg(0x00, port, read_with = receive, write_with = send)]
    data: Virtual<u32>,
    sent: u32,
}

impl Device for Serial {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.fifo.clear();
        (self.overrun, self.accesses) = (0, 0);
        self.lines.iter_mut().for_each(|line| line.sent = 0);
    }
}

impl Serial {
    fn push(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        self.accesses += 1;
        for byte in data {
            self.overrun |= u8::from(self.fifo.push(*byte).is_err());
        }
    }

    fn pop(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        self.accesses += 1;
        data.fill_with(|| self.fifo.pop().unwrap_or(0xff));
    }

    fn push_wide(&mut self, cx: &mut Cx<'_, Self>, data: &[u8]) {
        self.push(cx, data);
    }

    #[expect(clippy::unused_self, reason = "hooks take the device")]
    fn index(&mut self, _: &mut Cx<'_, Self>, index: usize, data: &mut [u8]) {
        data.fill(if index == 0 { 0x10 } else { 0x11 });
    }
}

impl LineHost for Serial {
    fn receive(&mut self, _: &mut Cx<'_, Self>, index: usize, data: &mut [u8]) {
        data.fill(if index == 0 { 0xa0 } else { 0xa1 });
    }

    fn send(&mut self, _: &mut Cx<'_, Self>, index: usize, data: &[u8]) {
        self.lines[index].sent += u32::from(data.iter().copied().fold(0, u8::wrapping_add));
    }
}

fn serial() -> Bench<Serial> {
    Bench::new(Serial::default()).unwrap()
}

#[test]
fn hooks_get_the_very_bytes_of_each_access() {
    let mut bench = serial();
    bench.write(0, 0x04, 0x01_u8);
    bench.write(0, 0x04, 0x0302_u16);
    bench.write(0, 0x04, 0x0706_0504_u32);
    assert_eq!(bench.device().accesses, 3);
    assert_eq!(bench.device().fifo.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(bench.read::<u32>(0, 0x04), 0x0403_0201);
    assert_eq!(bench.read::<u16>(0, 0x04), 0x0605);
    assert_eq!(bench.read::<u8>(0, 0x04), 0x07);
    assert_eq!(bench.read::<u16>(0, 0x04), 0xffff);
    assert_eq!(bench.device().accesses, 7, "nothing is latched");
}

/// Bytes that lie behind the first one of the port are its bytes too.
#[test]
fn an_access_within_a_port_is_one_to_it() {
    let mut bench = serial();
    bench.write(0, 0x05, 0xbbaa_u16);
    bench.write(0, 0x07, 0xcc_u8);
    assert_eq!(bench.read::<u8>(0, 0x07), 0xaa);
    assert_eq!(bench.read::<u16>(0, 0x05), 0xccbb);
    assert_eq!(bench.device().accesses, 4);
}

/// It ends where the register ends; a processor's string instructions are many accesses.
#[test]
fn a_message_is_split_at_the_borders_of_the_port() {
    let mut bench = serial();
    bench.write(0, 0x00, 0x8877_6655_4433_2211_u64);
    assert_eq!(bench.device().before, 0x2211);
    assert_eq!(bench.read::<u32>(0, 0x04), 0x8877_6655);
    assert_eq!(bench.device().accesses, 2);
    bench.try_write(RegionIndex::Bar0, 0x04, &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!((bench.device().locked, bench.device().fifo.len()), (5, 4));
}

#[test]
fn a_wide_port_takes_halves_as_they_come() {
    let mut bench = serial();
    bench.write(0, 0x14, 0x0404_0404_u32);
    bench.write(0, 0x10, 0x0101_0101_u32);
    bench.write(0, 0x10, 0x0908_0706_0504_0302_u64);
    let bytes: Vec<_> = bench.device().fifo.iter().copied().collect();
    assert_eq!(bytes, [4, 4, 4, 4, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(bench.device().fifo.is_full());
    bench.write(0, 0x10, 1_u8);
    assert_eq!((bench.device().overrun, bench.device().accesses), (1, 4));
}

#[test]
fn ports_of_one_direction_ignore_the_other() {
    let mut bench = serial();
    assert_eq!(bench.read::<u64>(0, 0x10), 0);
    bench.write(0, 0x18, 1_u16);
    assert_eq!(bench.device().accesses, 0);
    bench.poke("locked", 1);
    bench.write(0, 0x04, 1_u8);
    assert_eq!(bench.read::<u8>(0, 0x04), 0xff, "only writes are locked");
    assert!(bench.function().peek("data").is_ok_and(|peek| !peek.is_known()));
}

#[test]
fn elements_and_blocks_have_their_index() {
    let mut bench = serial();
    assert_eq!((bench.read::<u16>(0, 0x18), bench.read::<u8>(0, 0x1b)), (0x1010, 0x11));
    bench.write(0, 0x24, 0x0201_u16);
    assert_eq!((bench.read::<u32>(0, 0x20), bench.read::<u8>(0, 0x24)), (0xa0a0_a0a0, 0xa1));
    assert_eq!(bench.device().lines.map(|line| line.sent), [0, 3]);
}

#[test]
fn the_generated_tests_reach_ports() {
    const SUITE: Suite<Serial> = Suite::new(Serial::default);
    SUITE.policies();
    SUITE.parts();
    SUITE.accesses();
    SUITE.inquiry();
    SUITE.scripts();
    SUITE.round_trips();
    SUITE.damage();
}

proptest! {
    #[test]
    fn a_fifo_keeps_the_order_and_its_capacity(script in prop::collection::vec(any::<Option<u8>>(), 0..200)) {
        let (mut fifo, mut model) = (Fifo::<u8, 7>::new(), Vec::new());
        for step in script {
            match step {
                Some(byte) if model.len() == 7 => prop_assert_eq!(fifo.push(byte), Err(byte)),
                Some(byte) => {
                    prop_assert_eq!(fifo.push(byte), Ok(()));
                    model.push(byte);
                }
                None if model.is_empty() => prop_assert_eq!(fifo.pop(), None),
                None => prop_assert_eq!(fifo.pop(), Some(model.remove(0))),
            }
            prop_assert!(fifo.iter().eq(&model) && fifo.front() == model.first());
            prop_assert_eq!(fifo.len(), model.len());
            prop_assert_eq!((fifo.is_empty(), fifo.is_full()), (model.is_empty(), model.len() == 7));
        }
        fifo.clear();
        prop_assert_eq!(fifo, Fifo::default());
    }
}

macro_rules! queues {
    ($name:ident, $capacity:literal) => {
        #[derive(Debug, Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 1, name = "queue")]
        struct $name {
            fifo: Fifo<(u8, u16), $capacity>,
        }

        impl Device for $name {
            type Event = ();
        }
    };
}

queues!(Large, 8);
queues!(Small, 4);

#[test]
fn a_fifo_migrates_with_its_order_and_state_with_more_is_refused() {
    assert_eq!(WireType::of::<Fifo<u16, 3>>(), WireType::of::<Vec<u16>>());
    let mut large = Large::default();
    for n in 0..4 {
        large.fifo.push((n, 0x100)).unwrap();
    }
    large.fifo.pop();
    large.fifo.push((9, 9)).unwrap();
    let mut source = Bench::new(large).unwrap();
    let mut target = Bench::new(Small::default()).unwrap();
    target.load(&source.save()).unwrap();
    assert!(target.device().fifo.iter().eq(&[(1, 0x100), (2, 0x100), (3, 0x100), (9, 9)]));

    let mut large = Large::default();
    (0..5).for_each(|n| large.fifo.push((n, 0)).unwrap());
    let error = target.load(&Bench::new(large).unwrap().save()).unwrap_err().to_string();
    assert!(error.contains("`fifo`") && error.contains("at most 4 elements"), "{error}");
    assert_eq!(target.device().fifo.len(), 4);
}
