//! The configuration space of a device that has a bit of everything, for
//!
//! ```sh
//! lspci -vv -F <(target/release/lspci)
//! ```

use vfio_user::{Device, PciDevice, describe};

/// A card whose capabilities are declared and whose registers are not worth mentioning.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x1105, class = 0x12_0000, subsystem = (0x1234, 0x0001))]
#[bar(0: mem64, size = 0x4000, prefetchable)]
#[irq(intx, msi = 8, msix = 32, bar = 0, table = 0x2000, pba = 0x3000)]
#[capability(pm(d1, wakes_from(d0, d3hot)), msi(maskable), msix, express(flr), subsystem)]
#[capability(vendor(b"a bit of everything"), vpd(Self::PRODUCT_DATA))]
#[capability(serial = Self::SERIAL_NUMBER, vsec(b"\x01\x00\x00\x00", id = 0x0001, revision = 2), aer, ltr)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    /// A name, and the end (PCI Local Bus Specification 3.0, appendix I).
    const PRODUCT_DATA: &[u8] = b"\x82\x13\x00a bit of everything\x78";
    const SERIAL_NUMBER: u64 = 0x0011_22ff_ff33_4455;
}

fn main() {
    print!("{}", describe::lspci(&Card::DESCRIPTOR));
}
