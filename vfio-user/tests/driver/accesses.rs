//! Where a driver accesses a register, in which parts, and in which byte order.

use vfio_user::{Device, PciDevice};

use crate::recorder::Recorder;

const COUNTERS: u64 = 0x40;
const LOW_FIRST: u64 = 0x00;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x100, access = 4)]
#[bar(2: io, size = 0x40, access = 1..=2, big)]
struct Card {
    #[reg(0x00)]
    mode: u8,
    #[reg(0x08)]
    address: u64,
    #[reg(0x10, big)]
    swapped: u32,
    #[reg(0x20, when(size = 2))]
    data: u16,
    #[reg(0x20, when(size = 1))]
    error: u8,
    #[reg(COUNTERS, stride = 0x10)]
    counters: [u16; COUNT],
    #[reg(LOW_FIRST, bar = 1, wide(commit = high))]
    low_first: u64,
    #[reg(LOW_FIRST + 8, bar = 1, wide(commit = low))]
    high_first: u64,
    #[reg(0x00, bar = 2)]
    words: u32,
}

const COUNT: usize = 4;

impl Device for Card {
    type Event = ();
}

fn card() -> CardDriver<Recorder<Card>> {
    CardDriver::new(Recorder::new(Card::default()))
}

#[test]
fn each_register_has_one_access_of_its_width() {
    let mut card = card();
    card.set_mode(7).unwrap();
    card.set_address(0x1122_3344_5566_7788).unwrap();
    assert_eq!((card.mode().unwrap(), card.address().unwrap()), (7, 0x1122_3344_5566_7788));
    let written = (0, 0x08, 8, Some(0x1122_3344_5566_7788));
    let accesses = card.bars().accesses();
    assert_eq!(accesses, [(0, 0, 1, Some(7)), written, (0, 0, 1, None), (0, 0x08, 8, None)]);
    assert_eq!(card.bars().bench.device().address, 0x1122_3344_5566_7788);
}

#[test]
fn constants_place_elements() {
    let mut card = card();
    card.set_counters(3, 0xabcd).unwrap();
    assert_eq!((card.counters(3).unwrap(), card.counters(0).unwrap()), (0xabcd, 0));
    assert_eq!(card.bars().accesses()[0], (0, COUNTERS + 0x30, 2, Some(0xabcd)));
    assert_eq!(card.bars().bench.device().counters, [0, 0, 0, 0xabcd]);
}

#[test]
#[should_panic(expected = "`counters` has 4 elements; there is no element 4")]
fn an_element_that_does_not_exist_is_not_accessed() {
    let _ = card().counters(COUNT);
}

#[test]
fn a_bar_that_accepts_less_is_accessed_in_parts() {
    let mut card = card();
    card.set_low_first(0x1_0000_0002).unwrap();
    card.set_high_first(0x3_0000_0004).unwrap();
    let order = [(0x00, 2), (0x04, 1), (0x0c, 3), (0x08, 4)];
    let order = order.map(|(offset, value)| (1, offset, 4, Some(value)));
    assert_eq!(card.bars().accesses(), order);
    let values = (card.low_first().unwrap(), card.high_first().unwrap());
    assert_eq!(values, (0x1_0000_0002, 0x3_0000_0004));
    let device = card.bars().bench.device();
    assert_eq!((device.low_first, device.high_first), values);
}

#[test]
fn a_register_that_needs_a_size_gets_it() {
    let mut card = card();
    card.set_data(0x1234).unwrap();
    card.set_error(0x56).unwrap();
    assert_eq!((card.data().unwrap(), card.error().unwrap()), (0x1234, 0x56));
}

#[test]
fn big_endian_registers_have_their_values() {
    let mut card = card();
    card.set_swapped(0x1122_3344).unwrap();
    assert_eq!(card.bars().accesses(), [(0, 0x10, 4, Some(0x4433_2211))]);
    card.set_words(0x5566_7788).unwrap();
    let parts = [(2, 2, 2, Some(0x8877)), (2, 0, 2, Some(0x6655))];
    assert_eq!(card.bars().accesses(), parts);
    assert_eq!((card.swapped().unwrap(), card.words().unwrap()), (0x1122_3344, 0x5566_7788));
    let device = card.bars().bench.device();
    assert_eq!((device.swapped, device.words), (0x1122_3344, 0x5566_7788));
}

#[test]
fn a_driver_may_borrow_its_bars_whatever_they_are() {
    let mut recorder = Recorder::new(Card::default());
    CardDriver::new(&mut recorder).set_mode(1).unwrap();
    let bars: &mut dyn vfio_user::driver::Bars<Error = _> = &mut recorder;
    let mut card = CardDriver::new(bars);
    assert_eq!(card.mode(), Ok(1));
    assert_eq!(recorder.accesses().len(), 2);
}
