//! Registers that a device has or lacks, as `configure` says.

use tracing::Level;
use vfio_user::declaration::{Descriptor, LayoutError};
use vfio_user::{Bench, Cx, Device, PciDevice, Result};

use super::log::logged;

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
#[irq(intx)]
struct Card {
    #[reg(0x00)]
    control: u32,
    #[reg(0x04, reset = 0x11, on_write = Self::tuned)]
    tuning: u32,
    #[reg(0x10)]
    lanes: [u32; 4],
    #[reg(0x20, when(control = 0))]
    low: u32,
    #[reg(0x20, when(control = 1))]
    high: u32,
    #[reg(0x24, wo, kick = Self::rang, allow(unread))]
    doorbell: u32,
    #[reg(0x30)]
    #[migrate(since = 1, default = 7)]
    newer: u32,
    #[reg(0x40, bar = config)]
    vendor_control: u32,
    calls: u32,
    #[migrate(skip)]
    absent: &'static [&'static str],
}

const LACKED: &[&str] = &["tuning", "lanes", "high", "doorbell", "newer", "vendor_control"];

impl Default for Card {
    fn default() -> Self {
        Card {
            control: 0,
            tuning: 0x11,
            lanes: [0; 4],
            low: 0,
            high: 0,
            doorbell: 0,
            newer: 0,
            vendor_control: 0,
            calls: 0,
            absent: LACKED,
        }
    }
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        Ok(self.absent.iter().try_for_each(|name| descriptor.set_present(name, false))?)
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        self.calls = 0;
    }
}

impl Card {
    fn tuned(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.calls += 1;
    }

    fn rang(&mut self, _: &mut Cx<'_, Self>) {
        self.calls += 1;
    }
}

fn card(absent: &'static [&'static str]) -> Bench<Card> {
    Bench::new(Card { absent, ..Card::default() }).expect("a valid device")
}

#[test]
fn a_register_that_is_not_there_is_unmapped() {
    let mut bench = card(LACKED);
    for at in [0x04, 0x10, 0x1c, 0x24, 0x30] {
        bench.write(0, at, 7_u32);
        assert_eq!(bench.read::<u32>(0, at), u32::MAX, "{at:#x}");
    }
    bench.write_config(0x40, 7_u32);
    assert_eq!(bench.read_config::<u32>(0x40), 0, "as configuration space without a register");
    let Card { tuning, lanes, doorbell, vendor_control, calls, .. } = bench.device();
    assert_eq!((*tuning, *lanes, *doorbell, *vendor_control, *calls), (0x11, [0; 4], 0, 0, 0));
    bench.write(0, 0x00, 0x55_u64);
    assert_eq!(bench.read::<u64>(0, 0x00), 0xffff_ffff_0000_0055, "its neighbour is there");
}

#[test]
fn one_of_several_at_a_place_may_be_missing() {
    let mut bench = card(LACKED);
    bench.write(0, 0x20, 3_u32);
    bench.write(0, 0x00, 1_u32);
    assert_eq!(bench.read::<u32>(0, 0x20), u32::MAX);
    bench.write(0, 0x00, 0_u32);
    assert_eq!(bench.read::<u32>(0, 0x20), 3);
}

#[test]
fn nothing_names_it_but_the_log() {
    let mut bench = card(LACKED);
    assert!(bench.function().peek("tuning").is_err());
    assert!(bench.function().peek("lanes[0]").is_err());
    assert!(bench.function().peek("low").is_ok());
    assert_eq!(bench.function().descriptor().slots().count(), 2, "control and low");
    let described = vfio_user::describe::text(bench.function().descriptor());
    assert!(described.contains("control") && !described.contains("tuning"), "{described}");
    let lines = logged(Level::WARN, || bench.write(0, 0x04, 1_u32));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("card.tuning"), "{lines:?}");
    assert!(lines[0].contains("this device does not have it"), "{lines:?}");
}

#[test]
fn a_register_is_there_unless_set_otherwise() {
    let mut bench = card(&[]);
    bench.write(0, 0x04, 7_u32);
    assert_eq!((bench.read::<u32>(0, 0x04), bench.device().calls), (7, 1));
    let mut descriptor = Card::DESCRIPTOR;
    descriptor.set_present("tuning", false).unwrap();
    descriptor.set_present("tuning", false).unwrap();
    descriptor.set_present("tuning", true).unwrap();
    assert_eq!(descriptor.slots().count(), Card::DESCRIPTOR.slots().count());
}

#[test]
fn names_are_checked() {
    let mut descriptor = Card::DESCRIPTOR;
    let unknown = descriptor.set_present("tunning", false);
    assert_eq!(unknown, Err(LayoutError::NoSuchRegister { register: "tunning" }));
    assert_eq!(unknown.unwrap_err().to_string(), "the device declares no register `tunning`");
}

#[test]
fn state_is_of_a_device_with_the_same_registers() {
    let mut has = card(&["newer"]);
    has.write(0, 0x04, 0x77_u32);
    let mut lacks = card(&["tuning", "newer"]);
    let error = lacks.load(&has.save()).unwrap_err().to_string();
    assert!(error.contains("tuning"), "{error}");
    let error = has.load(&lacks.save()).unwrap_err().to_string();
    assert!(error.contains("tuning"), "{error}");
    assert_eq!(has.read::<u32>(0, 0x04), 0x77, "what is refused changes nothing");
    let mut again = card(&["newer"]);
    again.load(&has.save()).unwrap();
    assert_eq!(again.read::<u32>(0, 0x04), 0x77);
}

#[test]
fn a_default_takes_the_place_of_a_register_that_the_source_lacks() {
    let mut lacks = card(&["newer"]);
    let mut has = card(&[]);
    has.load(&lacks.save()).unwrap();
    assert_eq!(has.read::<u32>(0, 0x30), 7);
}

mod lacking {
    vfio_user::device_tests!(super::Card, super::Card::default);
}

mod whole {
    fn whole() -> super::Card {
        super::Card { absent: &[], ..super::Card::default() }
    }

    vfio_user::device_tests!(super::Card, whole);
}
