//! Interrupts that a register identifies by a number, not by a bit for each.

use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock, ResetKind, Virtual};

/// What requests an interrupt: the bits that enable it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u8)]
struct Causes {
    #[field(bit = 0)]
    received: bool,
    #[field(bit = 1)]
    emptied: bool,
    #[field(bits = 4..=5)]
    other: u8,
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msix = 4)]
struct Port {
    #[reg(0x00, write_with = Self::push, read_with = Self::pop)]
    data: Virtual<u8>,
    #[reg(0x01)]
    enable: Causes,
    /// 0 without an interrupt, else the number of the most urgent cause.
    #[reg(0x02, ro, overlay, on_read = Self::identified)]
    #[intr(status_with = Self::causes, enable = enable, trigger = level,
        on_composed = Self::identify)]
    identity: u16,
    #[reg(0x02, wo, overlay, on_write = Self::control, test(exclude = all))]
    control: u16,
    #[reg(0x10, w1c)]
    #[intr(status, enable = wanted, mask = masked, test = test, vector = 1,
        on_composed = Self::count)]
    status: u32,
    #[reg(0x14)]
    wanted: u32,
    #[reg(0x18)]
    masked: u32,
    #[reg(0x1c, wo)]
    test: Virtual<u32>,
    #[block(0x100, stride = 0x10, vector = 2, vector_stride = 1)]
    channels: [Channel; 2],
    received: Option<u8>,
    emptied: bool,
    /// What was observed, 4 bits each: 8, and what was pending.
    seen: u32,
    soft: bool,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = ChannelHost)]
struct Channel {
    #[reg(0x00)]
    enable: Causes,
    #[reg(0x01, ro)]
    #[intr(status_with = causes, enable = enable, on_composed = identify)]
    identity: u8,
    #[reg(0x02)]
    level: u8,
}

impl Device for Port {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.received, self.emptied, self.seen) = (None, false, 0);
    }
}

impl Port {
    fn push(&mut self, _: &mut Cx<'_, Self>, byte: u8) {
        self.received = Some(byte);
    }

    fn pop(&mut self, _: &mut Cx<'_, Self>) -> u8 {
        self.received.take().unwrap_or(0)
    }

    fn causes(&self) -> Causes {
        Causes { received: self.received.is_some(), emptied: self.emptied, other: 0 }
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, pending: Causes) {
        self.identity = if pending.received { 2 } else { u16::from(pending.emptied) };
    }

    fn identified(&mut self, _: &mut Cx<'_, Self>, identity: u16) {
        self.emptied &= identity != 1;
    }

    fn control(&mut self, cx: &mut Cx<'_, Self>, _: u16, new: u16) {
        self.emptied = new & 1 != 0;
        self.soft = new & 2 != 0;
        if new & 4 != 0 {
            cx.soft_reset(self, 0);
        }
    }

    fn count(&mut self, cx: &mut Cx<'_, Self>, pending: u32) {
        self.seen = self.seen << 4 | 8 | pending & 7;
        if std::mem::take(&mut self.soft) {
            cx.soft_reset(self, 0);
        }
    }
}

impl ChannelHost for Port {
    fn causes(&self, index: usize) -> Causes {
        Causes { received: self.channels[index].level > 8, emptied: false, other: 0 }
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, index: usize, pending: Causes) {
        self.channels[index].identity = if pending.received { 0x40 } else { 0 };
    }
}

vfio_user::device_tests!(Port, Port::default);

const DATA: u64 = 0x00;
const ENABLE: u64 = 0x01;
const IDENTITY: u64 = 0x02;
const CONTROL: u64 = 0x02;

fn port() -> Bench<Port> {
    let mut port = Bench::new(Port::default()).expect("a valid device");
    port.write(0, ENABLE, 0x03_u8);
    port
}

#[test]
fn the_most_urgent_cause_is_identified() {
    let mut port = port();
    port.write(0, CONTROL, 1_u16);
    assert_eq!((port.take_irq(0), port.device().identity), (1, 1));
    port.write(0, DATA, 5_u8);
    assert_eq!((port.take_irq(0), port.device().identity), (0, 2), "a level");
    assert_eq!(port.read::<u16>(0, IDENTITY), 2);
    assert_eq!(port.read::<u8>(0, DATA), 5);
    assert_eq!(port.read::<u16>(0, IDENTITY), 1, "the other one is still there");
    assert_eq!(port.read::<u16>(0, IDENTITY), 0, "and was acknowledged by the read");
}

#[test]
fn causes_that_are_not_enabled_are_not_identified() {
    let mut port = port();
    port.write(0, ENABLE, 0x02_u8);
    port.write(0, DATA, 5_u8);
    assert_eq!((port.take_irq(0), port.device().identity), (0, 0));
    port.write(0, ENABLE, 0x01_u8);
    assert_eq!((port.take_irq(0), port.device().identity), (1, 2));
}

#[test]
fn every_element_of_a_block_has_its_own() {
    let mut port = port();
    for (vector, channel) in [(2, 0x100), (3, 0x110)] {
        port.write(0, channel, 1_u8);
        port.write(0, channel + 2, 9_u8);
        assert_eq!(port.take_irq(vector), 1);
        assert_eq!(port.read::<u8>(0, channel + 1), 0x40);
        port.write(0, channel + 2, 0_u8);
        assert_eq!(port.read::<u8>(0, channel + 1), 0);
    }
}

#[test]
fn a_stored_status_is_observed_too() {
    let mut port = port();
    assert_eq!(port.device().seen, 0x8, "the device starts with nothing");
    port.write(0, 0x1c, 0b11_u32);
    assert_eq!(port.device().seen, 0x8, "not enabled");
    port.write(0, 0x14, 0b01_u32);
    port.write(0, 0x14, 0b01_u32);
    port.write(0, 0x14, 0b11_u32);
    port.write(0, 0x18, 0b10_u32);
    port.write(0, 0x10, 0b01_u32);
    assert_eq!(port.device().seen, 0x89b98);
}

#[test]
fn a_reset_shows_the_result_again() {
    let mut port = port();
    port.write(0, DATA, 5_u8);
    assert_eq!(port.device().identity, 2);
    port.write(0, CONTROL, 4_u16);
    assert_eq!((port.device().identity, port.device().seen), (0, 0x8));
    port.write(0, DATA, 5_u8);
    port.write(0, ENABLE, 1_u8);
    assert_eq!((port.take_irq(0), port.device().identity), (2, 2), "a new edge");
    port.reset();
    assert_eq!((port.device().identity, port.device().seen), (0, 0x8));
}

#[test]
fn the_hook_may_reset_the_device() {
    let mut port = port();
    port.write(0, 0x14, 0b1_u32);
    port.write(0, CONTROL, 2_u16);
    port.write(0, 0x1c, 0b1_u32);
    assert_eq!((port.device().status, port.device().wanted), (0, 0));
}

#[test]
fn what_is_identified_migrates() {
    let mut port = port();
    port.write(0, DATA, 5_u8);
    let mut other = Bench::new(Port::default()).expect("a valid device");
    other.load(&port.save()).expect("the same device");
    assert_eq!((other.take_irq(0), other.device().identity), (0, 2), "not raised again");
    assert_eq!(other.read::<u8>(0, DATA), 5);
    assert_eq!(other.device().identity, 0);
}
