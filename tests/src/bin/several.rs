//! A device program with two types of device.

use vfio_user::{Cx, Device, Devices, PciDevice, Virtual};

/// Holds a number, and fails on request.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9, name = "counter")]
#[bar(0: mem32, size = 0x1000)]
struct Counter {
    #[reg(0x0)]
    count: u32,
    #[reg(0x4, wo, write_with = Self::fail)]
    fail: Virtual<u32>,
}

impl Device for Counter {
    type Event = ();
}

impl Counter {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn fail(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        panic!("as requested");
    }
}

/// Shows its number among the devices of its type.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa, name = "label")]
#[bar(0: mem32, size = 0x1000)]
struct Label {
    #[reg(0x0, ro)]
    number: u32,
}

impl Device for Label {
    type Event = ();
}

fn label(number: usize) -> Label {
    Label { number: u32::try_from(number).unwrap() }
}

fn main() -> vfio_user::Result<()> {
    Devices::new().with(Counter::default).with_each(label).main()
}
