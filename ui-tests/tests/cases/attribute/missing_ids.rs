use vfio_user::{Device, PciDevice};

#[derive(PciDevice)]
#[pci(class = 0x02_0000)]
struct Edu {}

impl Device for Edu {
    type Event = ();
}

fn main() {}
