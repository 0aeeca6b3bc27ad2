use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = card::Driver)]
#[bar(0: mem32, size = 0x100)]
struct Path {
    #[reg(0x00)]
    scratch: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = "CardDriver")]
#[bar(0: mem32, size = 0x100)]
struct Text {
    #[reg(0x00)]
    scratch: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver)]
#[bar(0: mem32, size = 0x100)]
struct Flag {
    #[reg(0x00)]
    scratch: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = Itself)]
#[bar(0: mem32, size = 0x100)]
struct Itself {
    #[reg(0x00)]
    scratch: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = TwiceDriver, driver = OtherDriver)]
#[bar(0: mem32, size = 0x100)]
struct Twice {
    #[reg(0x00, driver = get, driver = take)]
    scratch: u32,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, drivers = CardDriver)]
#[bar(0: mem32, size = 0x100)]
struct Misspelt {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Path {
    type Event = ();
}

impl Device for Text {
    type Event = ();
}

impl Device for Flag {
    type Event = ();
}

impl Device for Itself {
    type Event = ();
}

impl Device for Twice {
    type Event = ();
}

impl Device for Misspelt {
    type Event = ();
}

fn main() {}
