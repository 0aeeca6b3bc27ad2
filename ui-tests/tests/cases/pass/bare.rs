//! A device without registers, and one whose only BAR is not BAR 0.

use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
struct Bare {}

impl Device for Bare {
    type Event = ();
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(2: mem64, size = 0x1000)]
struct High {
    #[reg(0)]
    register: u64,
}

impl Device for High {
    type Event = ();
}

fn main() {
    assert_eq!(Bare::DESCRIPTOR.ids().class, 0xff_0000);
    assert_eq!(High::DESCRIPTOR.registers()[0].bar(), 2);
    let _ = (Bare {}, High { register: 0 });
}
