use vfio_user::{Device, PciDevice};

impl Edu {
    const SECRET: &str = "secret";
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[capability(express, vendor(7), vsec(Self::SECRET, id = 1))]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
