//! A device that is declared by a macro.

use vfio_user::{Device, PciDevice};

macro_rules! device {
    ($name:ident, $id:expr, $size:literal, $offset:expr, $ty:ty) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = $id)]
        #[bar(0: mem32, size = $size)]
        struct $name {
            #[reg($offset, reset = 0x12)]
            first: $ty,
            #[reg($offset + 8)]
            second: [$ty; 2],
        }

        impl Device for $name {
            type Event = ();
        }
    };
}

device!(Narrow, 1, 0x100, 0x10, u8);
device!(Wide, 2, 0x200, 0x10 + 0x10, u32);

fn main() {
    assert_eq!(Narrow::DESCRIPTOR.validate(), Ok(()));
    assert_eq!(Wide::DESCRIPTOR.registers()[1].extent().offset, 0x28);
}
