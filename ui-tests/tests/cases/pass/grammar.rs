//! Every attribute, literal and constant.

use vfio_user::declaration::{BarKind, Slot, Unmapped};
use vfio_user::{Cx, Device, PciDevice, Virtual};

mod regs {
    pub const STATUS: u32 = 0x10;
    pub const RING: usize = 0x100;
}

const MIB: i32 = 20;
const VECTORS: usize = 3;
const QUEUES: usize = 4;
const VENDOR: u16 = 0x1af4;
const REDUCED: u16 = 0x0fff;
const REVISION: u8 = 15;
const BYTES: [u8; 2] = [3, 4];

#[derive(Default, PciDevice)]
#[pci(vendor = VENDOR, device = Self::ID, class = 0x02_0000, revision = 1,
      subsystem = (VENDOR, 0x0001), name = "everything", ignore_command)]
#[bar(0: mem32, size = Self::SIZE, unmapped = ones)]
#[bar(2: mem64, size = 1 << MIB, prefetchable, unmapped = refuse,
      shared(0x8000..2 * 0x8000, Self::SHARED..Self::SHARED + 0x1000))]
#[bar(5: mem32, size = Self::SIZE, shared)]
#[bar(4: io, size = 0x40u32, unmapped = zero)]
#[irq(intx, msi = 4, msix = VECTORS, bar = 2, table = 0x2000, pba = 0x3000 - 8)]
#[capability(pm(at = Self::PM, d1, d2, no_soft_reset, wakes_from(d0, d1, d2, d3hot, d3cold)))]
#[capability(msi(maskable, address_32), msix(at = 0xe0 + 8), vpd(Self::BYTES), aer)]
#[capability(express(legacy, flr, at = 0x60), subsystem(at = 0xc0), ltr)]
#[capability(vendor(b"card"), vendor = Self::BYTES, vendor(&[1, 2], writable = Self::BYTES, at = 0xf8))]
#[capability(custom(&BYTES, id = 0x07), serial(Self::SERIAL, at = 0x180))]
#[capability(vsec(Self::BYTES, id = 1, revision = REVISION, writable = b"\x01"), vsec(b"", id = VENDOR))]
#[capability(dvsec(b"", vendor = VENDOR, id = 2), extended(b"12", id = 0xee, version = 2))]
struct Everything {
    #[reg(0x00, ro, reset = 1 | 2)]
    id: Virtual<u32>,
    #[reg(regs::STATUS, w1c, mask = Self::MASK)]
    status: u32,
    #[reg(regs::STATUS + 4, w1s, reset = 0x3u8, mask = 0x0f, writable = 0x3)]
    set: u8,
    #[reg(regs::STATUS + 8, rw, reset = REDUCED, mask = REDUCED)]
    word: u16,
    #[reg(0x20, wo, write_with = Self::write_ring, ioeventfd = Self::MASK)]
    doorbell: [Virtual<u32>; QUEUES],
    #[reg(regs::RING, bar = 2, stride = 16, on_write = Self::observe, on_read = Self::seen)]
    ring: [u64; QUEUES],
    #[reg(0x04, bar = 4, read_with = free, write_with = Everything::port, kick = kicked)]
    port: u32,
    #[reg(0x8000, bar = 2, watch)]
    watched: [u32; 4],
    r#type: u8,
    #[reg(0x08, bar = 4)]
    r#match: u8,
}

impl Device for Everything {
    type Event = ();
}

impl Everything {
    const ID: u16 = 0x1000;
    const PM: i32 = 0x40;
    const BYTES: &[u8] = &BYTES;
    const SERIAL: i64 = 7;
    const SIZE: i32 = 0x1000;
    const SHARED: u32 = 0x1_0000;
    const MASK: u64 = 0xff;

    fn write_ring(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.ring[index] = value.into();
    }

    fn observe(&mut self, _: &mut Cx<'_, Self>, _index: usize, _old: u64, _new: u64) {}

    fn seen(&mut self, _: &mut Cx<'_, Self>, _index: usize, _value: u64) {}

    fn port(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.r#type = value as u8;
    }
}

fn kicked(_: &mut Everything, _: &mut Cx<'_, Everything>) {}

fn free(device: &mut Everything, _: &mut Cx<'_, Everything>) -> u32 {
    device.port + u32::from(device.r#type)
}

fn main() {
    let descriptor = &Everything::DESCRIPTOR;
    assert_eq!(descriptor.validate(), Ok(()));
    assert_eq!(descriptor.name(), "everything");
    assert_eq!(descriptor.ids().device, 0x1000);
    assert_eq!(descriptor.ids().subsystem, 1);
    assert!(descriptor.has_intx());
    assert_eq!(descriptor.msi_vectors(), 4);
    assert_eq!(descriptor.msix_layout().map(|msix| (msix.vectors, msix.table)), Some((3, 0x2000)));
    assert!(descriptor.is_express());
    let [Some(first), None, Some(second), None, Some(third), Some(last)] = descriptor.bars() else {
        panic!("{:?}", descriptor.bars());
    };
    assert_eq!((first.size(), first.unmapped()), (0x1000, Unmapped::Ones));
    assert_eq!((second.kind(), second.is_prefetchable()), (BarKind::Mem64, true));
    assert_eq!((third.kind(), third.size()), (BarKind::Io, 0x40));
    let areas: Vec<_> = second.shared_areas().collect();
    assert_eq!(areas, [0x8000..0x1_0000, 0x1_0000..0x1_1000]);
    assert!(last.is_shared() && !third.is_shared());
    let registers = descriptor.registers();
    assert_eq!(registers[4].count(), 4);
    assert_eq!(registers[5].extent().stride, 16);
    assert_eq!(registers[5].bar(), 2);
    assert_eq!(registers[8].name(), "match");

    let mut device = Everything::default();
    let element = |index| Slot::new(5, index);
    device.store(element(2), 0x1_0000_0002);
    assert_eq!((device.ring, device.load(element(2))), ([0, 0, 0x1_0000_0002, 0], 0x1_0000_0002));
    device.store(Slot::new(0, 0), 5);
    assert_eq!(device.load(Slot::new(0, 0)), 0);
    device.store(Slot::new(2, 0), 0x1ff);
    assert_eq!(device.set, 0xff);
}
