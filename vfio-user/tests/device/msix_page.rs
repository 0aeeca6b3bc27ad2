//! Registers beside the MSI-X table, in the same page.

use vfio_user::{Bench, Device, PciDevice};

const TABLE: u64 = 0x100;
const PBA: u64 = TABLE + 16 * VECTORS;
const VECTORS: u64 = 2;

/// As small as it can be: one page with registers, memory, the table and its pending bits.
#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = VECTORS, bar = 0, table = TABLE, allow(msix_page))]
#[unmodelled(0x400 = "DEBUG")]
struct Small {
    #[reg(TABLE - 8)]
    below: u64,
    #[reg(PBA + 8)]
    above: u32,
    #[memory(0x800..0x900)]
    memory: [u8; 0x100],
}

impl Device for Small {
    type Event = ();
}

fn small() -> Small {
    Small { below: 0, above: 0, memory: [0; 0x100] }
}

#[test]
fn each_has_its_bytes() {
    let mut bench = Bench::new(small()).unwrap();
    bench.write(0, TABLE - 8, u64::MAX);
    bench.write(0, PBA + 8, 0x1234_5678_u32);
    bench.write(0, TABLE, 0xfee0_1000_u64);
    bench.write(0, 0x400, 7_u32);
    bench.write(0, 0x800, 9_u32);
    assert_eq!(bench.read::<u64>(0, TABLE - 8), u64::MAX);
    assert_eq!(bench.read::<u64>(0, TABLE), 0xfee0_1000);
    assert_eq!(bench.read::<u32>(0, PBA + 8), 0x1234_5678);
    assert_eq!((bench.read::<u32>(0, 0x400), bench.read::<u32>(0, 0x800)), (7, 9));
    bench.write(0, PBA, u64::MAX);
    assert_eq!(bench.read::<u64>(0, PBA), 0, "software does not write pending bits");
}

mod suite {
    vfio_user::device_tests!(super::Small, super::small);
}
