use vfio_user::{Device, PciDevice};

#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
struct u24([u8; 3]);

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    id: u24,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
