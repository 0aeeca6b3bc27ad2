#![deny(deprecated)]

use vfio_user::{Device, PciDevice};

macro_rules! device {
    ($name:ident, $($attribute:tt)*) => {
        #[derive(PciDevice)]
        #[pci(vendor = 0x1234, device = 1)]
        #[bar(0: mem32, size = 0x1000)]
        struct $name {
            #[reg($($attribute)*)]
            stored: u32,
        }

        impl Device for $name {
            type Event = ();
        }
    };
}

device!(Edu, 0x00, wo);

fn main() {}
