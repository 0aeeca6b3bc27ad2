//! Interrupts that the runtime composes from registers.

use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msix = 4)]
struct Uart {
    #[reg(0x00, w1c)]
    #[intr(status, enable = enable, mask = mask, test = test)]
    status: u32,
    #[reg(0x04)]
    enable: u32,
    #[reg(0x08)]
    mask: u32,
    #[reg(0x0c, wo)]
    test: Virtual<u32>,
    #[reg(0x10, ro)]
    #[intr(status, trigger = level, vector = 2)]
    full: u8,
    #[reg(0x14, wo, write_with = Self::push)]
    push: Virtual<u8>,
    #[reg(0x18, wo, write_with = Self::pop)]
    pop: Virtual<u8>,
    #[reg(0x20, rc, mask = 0xff)]
    #[intr(status, vector = Self::SHARED)]
    errors: u16,
}

impl Device for Uart {
    type Event = u32;

    fn event(&mut self, _: &mut Cx<'_, Self>, bits: u32) {
        self.status |= bits;
    }
}

impl Uart {
    const SHARED: u8 = 2;

    fn push(&mut self, cx: &mut Cx<'_, Self>, value: u8) {
        self.full = value;
        cx.post(u32::from(value) << 8);
    }

    fn pop(&mut self, _: &mut Cx<'_, Self>, errors: u8) {
        self.full = 0;
        self.errors = errors.into();
    }
}

const STATUS: u64 = 0x00;
const ENABLE: u64 = 0x04;
const MASK: u64 = 0x08;
const TEST: u64 = 0x0c;
const PUSH: u64 = 0x14;
const POP: u64 = 0x18;
const ERRORS: u64 = 0x20;

fn uart() -> Bench<Uart> {
    Bench::new(Uart::default()).expect("a valid device")
}

#[test]
fn only_enabled_events_arrive() {
    let mut uart = uart();
    uart.write(0, TEST, 0b01_u32);
    assert_eq!((uart.take_irq(0), uart.device().status), (0, 0b01));
    uart.write(0, ENABLE, 0b11_u32);
    assert_eq!(uart.take_irq(0), 1, "enabled while pending");
    uart.write(0, TEST, 0b10_u32);
    assert_eq!(uart.take_irq(0), 1, "another event, though the first is not acknowledged");
    uart.write(0, TEST, 0b10_u32);
    assert_eq!(uart.take_irq(0), 0, "the same event");
    uart.write(0, STATUS, 0b11_u32);
    uart.write(0, TEST, 0b10_u32);
    assert_eq!(uart.take_irq(0), 1, "acknowledged, and again");
}

#[test]
fn a_masked_event_waits() {
    let mut uart = uart();
    uart.write(0, ENABLE, 0xff_u32);
    uart.write(0, MASK, 0x01_u32);
    uart.write(0, TEST, 0x01_u32);
    assert_eq!(uart.take_irq(0), 0);
    uart.write(0, MASK, 0_u32);
    assert_eq!(uart.take_irq(0), 1);
}

#[test]
fn a_test_touches_the_written_bytes_only() {
    let mut uart = uart();
    uart.write(0, TEST + 1, 0xff_u8);
    assert_eq!(uart.device().status, 0xff00);
}

#[test]
fn levels_follow_the_device_and_share_vectors() {
    let mut uart = uart();
    uart.write(0, PUSH, 1_u8);
    assert_eq!(uart.take_irq(2), 1);
    uart.write(0, PUSH, 3_u8);
    assert_eq!(uart.take_irq(2), 0, "still full");
    uart.write(0, POP, 1_u8);
    assert_eq!(uart.take_irq(2), 1, "an error is an event");
    uart.write(0, PUSH, 1_u8);
    assert_eq!(uart.take_irq(2), 0, "the vector is raised already");
    uart.write(0, POP, 0_u8);
    assert_eq!(uart.read::<u16>(0, ERRORS), 0);
    uart.write(0, PUSH, 1_u8);
    assert_eq!(uart.take_irq(2), 1);
}

#[test]
fn reading_may_acknowledge() {
    let mut uart = uart();
    uart.write(0, POP, 5_u8);
    assert_eq!((uart.take_irq(2), uart.read::<u16>(0, ERRORS)), (1, 5));
    uart.write(0, POP, 5_u8);
    assert_eq!(uart.take_irq(2), 1);
}

#[test]
fn events_compose_too() {
    let mut uart = uart();
    uart.write(0, ENABLE, 0xff00_u32);
    uart.write(0, PUSH, 1_u8);
    assert_eq!(uart.take_irq(0), 0);
    uart.handle_events();
    assert_eq!((uart.take_irq(0), uart.device().status), (1, 0x100));
}

/// What software clears by another register, it cannot change by writing the status.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 3)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1)]
struct Cleared {
    #[reg(0x00, ro)]
    #[intr(status, test = test, clear = clear)]
    status: u32,
    #[reg(0x04, wo)]
    test: Virtual<u32>,
    #[reg(0x08, wo)]
    clear: Virtual<u32>,
}

impl Device for Cleared {
    type Event = ();
}

#[test]
fn a_clear_register_acknowledges() {
    let mut bench = Bench::new(Cleared::default()).unwrap();
    bench.write(0, 0x04, 0x0101_0101_u32);
    assert_eq!(bench.take_irq(0), 1);
    bench.write(0, 0x00, 0xffff_ffff_u32);
    bench.write(0, 0x0a, 0xff_u8);
    assert_eq!(bench.read::<u32>(0, 0x00), 0x0100_0101, "the written bytes only");
    bench.write(0, 0x04, 0x0001_0001_u32);
    assert_eq!(bench.take_irq(0), 1, "one bit is new");
    bench.write(0, 0x08, 0x0101_0101_u32);
    assert_eq!((bench.read::<u32>(0, 0x00), bench.read::<u32>(0, 0x08)), (0, 0));
}

/// With a line instead of messages, the level is all there is.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 2)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Line {
    #[reg(0x00, w1c, reset = 0x80)]
    #[intr(status, enable = enable, test = test)]
    status: u32,
    #[reg(0x04)]
    enable: u32,
    #[reg(0x08, wo)]
    test: Virtual<u32>,
}

impl Device for Line {
    type Event = ();
}

#[test]
fn a_line_is_asserted_while_any_bit_is_active() {
    let mut line = PciFunction::new(Line::default()).unwrap();
    let asserted = |line: &mut PciFunction<Line>| {
        let mut status = [0];
        line.read(RegionIndex::Config, 0x06, &mut status).unwrap();
        status[0] >> 3 & 1 == 1
    };
    assert!(!asserted(&mut line));
    line.write(RegionIndex::Bar0, 0x04, &[0xff]).unwrap();
    assert!(asserted(&mut line));
    line.write(RegionIndex::Bar0, 0x08, &[0x01]).unwrap();
    line.write(RegionIndex::Bar0, 0x00, &[0x80]).unwrap();
    assert!(asserted(&mut line), "the other bit");
    line.write(RegionIndex::Bar0, 0x00, &[0x01]).unwrap();
    assert!(!asserted(&mut line));
    line.write(RegionIndex::Bar0, 0x08, &[0x01]).unwrap();
    line.reset();
    assert!(!asserted(&mut line), "nothing is enabled after a reset");
    line.write(RegionIndex::Bar0, 0x04, &[0x80]).unwrap();
    assert!(asserted(&mut line), "but a bit is set by it");
}
