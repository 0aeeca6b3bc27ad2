//! Registers that share bytes, of which one answers an access: by direction, by the value of a
//! field, by the size of the access.

use vfio_user::function::Peek;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, Register, ResetKind, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u8)]
struct LineControl {
    #[field(bits = 0..=1)]
    word: u8,
    #[field(bit = 7)]
    dlab: bool,
}

/// The registers of a serial port.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0550)]
#[bar(0: io, size = 8, unmapped = ones)]
#[irq(intx)]
struct Uart {
    #[reg(0, ro, overlay, when(lcr.dlab = 0), read_with = Self::receive)]
    rbr: Virtual<u8>,
    #[reg(0, wo, overlay, when(lcr.dlab = 0), write_with = Self::transmit)]
    thr: Virtual<u8>,
    #[reg(0, when(lcr.dlab = 1))]
    dll: u8,
    #[reg(1, when(lcr.dlab = 0), mask = 0x0f)]
    ier: u8,
    #[reg(1, when(lcr.dlab = true), sticky)]
    dlm: u8,
    #[reg(2, rc, overlay, reset = 1)]
    #[intr(status, enable = fcr)]
    iir: u8,
    #[reg(2, wo, overlay)]
    fcr: u8,
    #[reg(3)]
    lcr: LineControl,
    #[migrate(max_len = 16)]
    sent: Vec<u8>,
    received: u8,
}

impl Device for Uart {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.sent, self.received) = (Vec::new(), 0);
    }
}

impl Uart {
    fn receive(&mut self, _: &mut Cx<'_, Self>) -> u8 {
        self.received += 1;
        self.received
    }

    fn transmit(&mut self, _: &mut Cx<'_, Self>, byte: u8) {
        self.sent.truncate(15);
        self.sent.push(byte);
    }
}

const SECOND: u8 = 2;

/// A network card whose registers lie in pages, and a drive with a word over bytes.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x10ec, device = 0x8029)]
#[bar(0: mem32, size = 0x80)]
#[bar(1: mem32, size = 0x80, unmapped = refuse)]
struct Card {
    #[reg(0x00)]
    command: u8,
    #[reg(0x01, wo, overlay, when(page = 0), allow(unread))]
    start: u8,
    #[reg(0x01, ro, overlay, when(page = 0), reset = 0x11)]
    address: u8,
    #[reg(0x01, when(page = 1 | 4..=6))]
    stations: [u8; 6],
    #[reg(0x01, ro, when(page = SECOND), reset = 0x22)]
    shown: u8,
    #[reg(0x08)]
    page: u8,

    #[reg(0x10, when(size = 2 | 4))]
    data: u16,
    #[reg(0x10, when(size = 1))]
    error: u8,
    #[reg(0x11, when(size = 1), w1c, reset = 0xff)]
    count: u8,
    #[reg(0x18, when(page = 0), wide)]
    base: u64,
    #[reg(0x18, when(page = 1), wide)]
    limit: u64,

    #[reg(0x00, bar = 1, when(page = 0))]
    first: u32,
    #[reg(0x04, bar = 1)]
    always: u32,
    #[reg(0x40, bar = config, when(page = 1))]
    paged: u32,
}

impl Device for Card {
    type Event = ();
}

fn uart() -> Bench<Uart> {
    Bench::new(Uart::default()).unwrap()
}

fn card() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

#[test]
fn the_direction_decides() {
    let mut bench = uart();
    bench.write(0, 2, 0xc1_u8);
    assert_eq!((bench.peek("iir"), bench.peek("fcr")), (1, 0xc1));
    assert_eq!(bench.take_irq(0), 1, "composed from registers that share an offset");
    assert_eq!(bench.read::<u8>(0, 2), 1);
    assert_eq!(bench.read::<u8>(0, 2), 0, "reads clear it");
    bench.write(0, 0, b'x');
    assert_eq!(bench.read::<u8>(0, 0), 1);
    assert_eq!(bench.device().sent, b"x");
}

#[test]
fn a_field_decides() {
    let mut bench = uart();
    bench.write(0, 1, 0xff_u8);
    assert_eq!(bench.read::<u8>(0, 1), 0x0f);
    bench.write(0, 3, 0x83_u8);
    bench.write(0, 0, 0x0102_u16);
    assert_eq!(bench.read::<u16>(0, 0), 0x0102);
    assert_eq!((bench.peek("dll"), bench.peek("dlm"), bench.peek("ier")), (2, 1, 0x0f));
    assert!(bench.device().sent.is_empty());
    assert_eq!(bench.device().received, 0);
}

#[test]
fn parts_of_an_access_are_decided_in_the_order_of_their_addresses() {
    let mut bench = uart();
    // The line control register is the last of the four: the others are accessed as before.
    bench.write(0, 0, 0x80_00_05_41_u32);
    assert_eq!((bench.device().sent.as_slice(), bench.peek("ier")), (&b"A"[..], 5));
    assert!(bench.device().lcr.dlab);
    let mut bench = card();
    // The page register is the first.
    bench.write(0, 0x08, 0_u8);
    bench.try_write(RegionIndex::Bar0, 0x00, &[9, 1, 2, 3, 4, 5, 6, 7, 1]).unwrap();
    assert_eq!((bench.peek("start"), bench.peek("stations[0]")), (1, 0));
    bench.try_write(RegionIndex::Bar0, 0x00, &[9, 1, 2, 3, 4, 5, 6, 7, 2]).unwrap();
    assert_eq!(bench.device().stations, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn pages_have_registers_of_their_own() {
    let mut bench = card();
    bench.write(0, 0x01, 0x33_u8);
    assert_eq!(bench.read::<u8>(0, 0x01), 0x11);
    for page in [1_u8, 4, 5, 6] {
        bench.write(0, 0x08, page);
        bench.write(0, 0x02, page);
        assert_eq!(bench.read::<u16>(0, 0x02), u16::from(page));
    }
    bench.write(0, 0x08, SECOND);
    bench.write(0, 0x01, 0_u8);
    assert_eq!(bench.read::<u8>(0, 0x01), 0x22);
    assert_eq!(bench.peek("start"), 0x33);
}

#[test]
fn where_no_condition_holds_there_is_no_register() {
    let mut bench = card();
    bench.write(0, 0x08, 3_u8);
    bench.write(0, 0x01, 0xff_u8);
    assert_eq!(bench.read::<u64>(0, 0x01), 0x03 << 56);
    assert_eq!((bench.peek("start"), bench.peek("stations[0]"), bench.peek("shown")), (0, 0, 0x22));
    let mut bench = uart();
    bench.poke("lcr", 0x80);
    let mut data = [0; 4];
    bench.try_read(RegionIndex::Bar0, 4, &mut data).unwrap();
    assert_eq!(data, [0xff; 4]);
}

#[test]
fn a_bar_that_refuses_takes_conditions_as_they_are_before_the_access() {
    let mut bench = card();
    let region = RegionIndex::Bar1;
    assert_eq!(bench.try_write(region, 0, &[1; 8]), Ok(()));
    bench.write(0, 0x08, 1_u8);
    assert_eq!(bench.try_write(region, 0, &[2; 8]), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(region, 0, &mut [0; 4]), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(region, 4, &mut [0; 4]), Ok(()));
    assert_eq!((bench.peek("first"), bench.peek("always")), (0x0101_0101, 0x0101_0101));
}

#[test]
fn the_size_of_the_access_decides() {
    let mut bench = card();
    bench.write(0, 0x10, 0xabcd_u16);
    assert_eq!((bench.peek("data"), bench.peek("error"), bench.peek("count")), (0xabcd, 0, 0xff));
    bench.write(0, 0x10, 0x55_u8);
    bench.write(0, 0x11, 0x0f_u8);
    assert_eq!(
        (bench.peek("data"), bench.peek("error"), bench.peek("count")),
        (0xabcd, 0x55, 0xf0)
    );
    assert_eq!(bench.read::<u16>(0, 0x10), 0xabcd);
    assert_eq!(bench.read::<u8>(0, 0x11), 0xf0);
    assert_eq!(bench.read::<u32>(0, 0x10), 0xabcd);
    assert_eq!(bench.read::<u64>(0, 0x10), 0, "neither answers eight bytes");
    // A message of three bytes is an access of two and one of one.
    let mut data = [0; 3];
    bench.try_read(RegionIndex::Bar0, 0x10, &mut data).unwrap();
    assert_eq!(data, [0xcd, 0xab, 0]);
    bench.try_read(RegionIndex::Bar0, 0x0f, &mut data).unwrap();
    assert_eq!(data, [0, 0xcd, 0xab]);
}

#[test]
fn what_waits_belongs_to_the_register_that_answered() {
    let mut bench = card();
    bench.write(0, 0x18, 0x1111_1111_u32);
    bench.write(0, 0x08, 1_u8);
    bench.write(0, 0x1c, 0x2222_2222_u32);
    assert_eq!((bench.peek("base"), bench.peek("limit")), (0, 0));
    let state = bench.save();
    let mut bench = card();
    bench.load(&state).unwrap();
    bench.write(0, 0x18, 0x3333_3333_u32);
    assert_eq!(bench.peek("limit"), 0x2222_2222_3333_3333);
    bench.write(0, 0x08, 0_u8);
    bench.write(0, 0x1c, 0x4444_4444_u32);
    assert_eq!(bench.peek("base"), 0x4444_4444_1111_1111);
    // The same for parts that are still to be read.
    assert_eq!(bench.read::<u32>(0, 0x18), 0x1111_1111);
    bench.write(0, 0x08, 1_u8);
    assert_eq!(bench.read::<u32>(0, 0x1c), 0x2222_2222);
    bench.write(0, 0x08, 0_u8);
    bench.poke("limit", 0);
    assert_eq!(bench.read::<u32>(0, 0x1c), 0x4444_4444);
}

#[test]
fn registers_of_configuration_space_have_conditions() {
    let mut bench = card();
    bench.write_config(0x40, 0x1234_u16);
    assert_eq!(bench.read_config::<u32>(0x40), 0);
    bench.poke("page", 1);
    bench.write_config(0x41, 0x1234_u16);
    assert_eq!(bench.read_config::<u32>(0x40), 0x0012_3400);
}

#[test]
fn an_offset_finds_the_register_that_answers_now() {
    let mut bench = card();
    bench.poke("stations[0]", 0x44);
    let mut byte = [0];
    for (page, expected) in [(0, 0x11), (1, 0x44), (2, 0x22), (3, 0)] {
        bench.poke("page", page);
        assert_eq!(bench.function().peek_at(0, 0x01, &mut byte), Ok(true));
        assert_eq!(byte, [expected]);
    }
    assert!(bench.function_mut().poke_at(0, 0x01, &[1]).is_err());
    bench.poke("page", 4);
    bench.function_mut().poke_at(0, 0x01, &[0x55]).unwrap();
    assert_eq!(bench.peek("stations[0]"), 0x55);
    let mut word = [0; 2];
    bench.poke("data", 0x1234);
    bench.function().peek_at(0, 0x10, &mut word).unwrap();
    assert_eq!(word, [0x34, 0x12]);
    let mut bench = uart();
    assert_eq!(bench.function().peek("thr"), Ok(Peek::Known(0)));
    bench.function_mut().poke_at(0, 2, &[7]).unwrap();
    assert_eq!((bench.peek("iir"), bench.peek("fcr")), (7, 0), "what reads find");
}

#[test]
fn all_of_them_are_reset_and_are_state() {
    let mut bench = uart();
    for (name, value) in [("dll", 1), ("dlm", 2), ("ier", 3), ("fcr", 4), ("iir", 5)] {
        bench.poke(name, value);
    }
    let state = bench.save();
    let mut other = uart();
    other.load(&state).unwrap();
    for (name, value) in [("dll", 1), ("dlm", 2), ("ier", 3), ("fcr", 4), ("iir", 5)] {
        assert_eq!(other.peek(name), value, "{name}");
    }
    other.reset();
    for (name, value) in [("dll", 0), ("dlm", 2), ("ier", 0), ("fcr", 0), ("iir", 1)] {
        assert_eq!(other.peek(name), value, "{name}");
    }
}

mod uart_suite {
    use super::Uart;

    vfio_user::device_tests!(Uart, Uart::default);

    #[test]
    fn registers_that_share_bytes_are_tested() {
        let coverage = device_suite().coverage();
        assert_eq!((coverage.registers, coverage.registers_total), (6, 8), "{coverage}");
    }
}

mod card_suite {
    use super::Card;

    vfio_user::device_tests!(Card, Card::default);

    #[test]
    fn registers_of_every_page_are_tested() {
        let coverage = device_suite().coverage();
        assert_eq!((coverage.registers, coverage.registers_total), (14, 14), "{coverage}");
    }
}
