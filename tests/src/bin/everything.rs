//! A device with one of everything that a guest can see, for the tests of guests.

use vfio_user::{Cx, Device, DmaError, PciDevice, ResetKind, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xe0e0, class = 0x12_0000, revision = 7)]
#[bar(0: mem32, size = 0x2000)]
#[bar(1: io, size = 0x40, allow(express_io))]
#[bar(2: mem64, size = 0x1000_0000, prefetchable)]
#[bar(4: mem64, size = 0x2_0000)]
#[irq(intx, msi = 4, msix = 8, bar = 0, table = 0x1000)]
#[capability(pm, express)]
struct Everything {
    #[reg(0x00, ro, reset = 0x6576_6572)]
    id: Virtual<u32>,
    /// How often the device has been reset.
    #[reg(0x04, ro, read_with = Self::resets)]
    reset_count: Virtual<u32>,
    /// Raises the source whose number is written.
    #[reg(0x08, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    /// Bit n is the level of source n.
    #[reg(0x0c, on_write = Self::set_levels, mask = 0xff)]
    levels: u32,
    #[reg(0x10)]
    source: u64,
    #[reg(0x18)]
    target: u64,
    /// Copies as many bytes as are written from `source` to `target`, then raises source 0.
    #[reg(0x20, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(0x24, ro)]
    failures: u32,
    #[reg(0x40)]
    scratch: [u64; 8],
    #[reg(0x00, bar = 1)]
    port: u32,
    #[reg(0x0fff_fff8, bar = 2)]
    far: u64,
    #[reg(0x1_0000, bar = 4)]
    middle: u16,
    resets: u32,
}

impl Device for Everything {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.resets += 1;
    }
}

impl Everything {
    fn resets(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.resets
    }

    fn raise(_: &mut Self, cx: &mut Cx<'_, Self>, source: u32) {
        if let Ok(source) = source.try_into() {
            cx.irq(source).raise();
        }
    }

    fn set_levels(_: &mut Self, cx: &mut Cx<'_, Self>, _old: u32, new: u32) {
        for source in 0..8 {
            cx.irq(source).set(new & 1 << source != 0);
        }
    }

    fn copy(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        if let Err(error) = self.try_copy(cx, count) {
            eprintln!("everything: {error}");
            self.failures += 1;
        }
        cx.irq(0).raise();
    }

    fn try_copy(&self, cx: &Cx<'_, Self>, count: u32) -> Result<(), DmaError> {
        // A guest asks for as much as it likes.
        let mut bytes = vec![0; count.min(1 << 20) as usize];
        cx.dma().read(self.source, &mut bytes)?;
        cx.dma().write(self.target, &bytes)
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Everything::default)
}
