//! The methods of a driver have the names of what accesses do.

use vfio_user::{Cx, Device, PciDevice, Register, Virtual};

use crate::recorder::Recorder;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[register(u16)]
#[expect(clippy::struct_excessive_bools, reason = "they are bits of a register")]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=6)]
    speed: u8,
    #[field(bit = 8, w1c)]
    overrun: bool,
    #[field(bit = 9, w0c)]
    underrun: bool,
    #[field(bit = 10, ro)]
    ready: bool,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = PoliciesDriver)]
#[migrate(none)]
#[bar(0: mem32, size = 0x1000)]
struct Policies {
    #[reg(0x00)]
    control: Control,
    #[reg(0x02, w1c)]
    causes: u16,
    #[reg(0x04, w0c)]
    alarms: u8,
    #[reg(0x05, w1s)]
    requests: u8,
    #[reg(0x06, w1t)]
    lights: u8,
    #[reg(0x07, wc)]
    total: u8,
    #[reg(0x08, ws)]
    latch: u8,
    #[reg(0x09, rc)]
    errors: u8,
    #[reg(0x0a, w1)]
    key: u8,
    #[reg(0x10, port, read_with = Self::pop, write_with = Self::push)]
    fifo: Virtual<u32>,
    #[reg(0x14, ro, read_with = Self::next)]
    serial: Virtual<u32>,
    #[reg(0x18, ro, read_with = Self::ticks, driver = get)]
    ticks: Virtual<u32>,
    #[reg(0x1c, driver = take)]
    doorbell: u32,
    #[reg(0x20, driver = skip)]
    set_control: u32,
    queued: Vec<u8>,
    read: u32,
}

impl Device for Policies {
    type Event = ();
}

impl Policies {
    fn pop(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        let len = self.queued.len().min(data.len());
        data[..len].copy_from_slice(&self.queued[..len]);
        self.queued.drain(..len);
    }

    fn push(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        self.queued.extend(data);
    }

    fn next(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.read += 1;
        self.read
    }

    #[expect(clippy::unused_self, reason = "the signature of a hook")]
    fn ticks(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        77
    }
}

fn driver() -> PoliciesDriver<Recorder<Policies>> {
    let device = Policies {
        causes: 0xff,
        alarms: 0xff,
        lights: 0x0f,
        total: 9,
        errors: 3,
        ..Policies::default()
    };
    let mut driver = PoliciesDriver::new(Recorder::new(device));
    driver.bars().bench.poke("control", 0x0740);
    driver
}

#[test]
fn bits_are_cleared_raised_and_toggled() {
    let mut driver = driver();
    driver.clear_causes(0x0f).unwrap();
    driver.clear_alarms(0x0f).unwrap();
    driver.raise_requests(0x21).unwrap();
    driver.toggle_lights(0x11).unwrap();
    assert_eq!((driver.causes().unwrap(), driver.alarms().unwrap()), (0xf0, 0xf0));
    assert_eq!((driver.requests().unwrap(), driver.lights().unwrap()), (0x21, 0x1e));
    driver.clear_total().unwrap();
    driver.raise_latch().unwrap();
    assert_eq!((driver.total().unwrap(), driver.latch().unwrap()), (0, 0xff));
}

#[test]
fn a_register_that_is_written_once_is_initialized() {
    let mut driver = driver();
    driver.init_key(5).unwrap();
    driver.init_key(6).unwrap();
    assert_eq!(driver.key().unwrap(), 5);
}

#[test]
fn reads_with_effects_take() {
    let mut driver = driver();
    assert_eq!((driver.take_errors().unwrap(), driver.take_errors().unwrap()), (3, 0));
    assert_eq!((driver.take_serial().unwrap(), driver.take_serial().unwrap()), (1, 2));
    assert_eq!((driver.ticks().unwrap(), driver.take_doorbell().unwrap()), (77, 0));
}

#[test]
fn ports_are_pushed_and_popped() {
    let mut driver = driver();
    driver.push_fifo(0x6463_6261).unwrap();
    assert_eq!(driver.bars().bench.device().queued, *b"abcd");
    assert_eq!((driver.pop_fifo().unwrap(), driver.pop_fifo().unwrap()), (0x6463_6261, 0));
}

/// Bits that act by themselves are not among those that an update writes.
#[test]
fn an_update_changes_what_is_stored() {
    let mut driver = driver();
    let control = driver.control().unwrap();
    assert_eq!((control.speed, control.overrun, control.underrun), (4, true, true));
    driver.update_control(|control| control.enable = true).unwrap();
    assert_eq!(driver.control().unwrap(), Control { enable: true, ..control });
    driver.set_control(Control { overrun: true, ..control }).unwrap();
    let cleared = Control { overrun: false, ..control };
    assert_eq!(driver.control().unwrap(), cleared);
}
