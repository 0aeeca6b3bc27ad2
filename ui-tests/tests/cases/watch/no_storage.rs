use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, watch, write_with = ring)]
    tail: Virtual<u16>,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x3000))]
struct Edu {
    #[reg(0x1000, watch, write_with = Self::rung)]
    bells: [Virtual<u32>; 4],
    #[reg(0x1010, watch, reset = 0xffff_ffff, write_with = Self::rung)]
    right: [Virtual<u32>; 4],
}

impl Device for Edu {
    type Event = ();
}

impl Edu {
    fn rung(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {}
}

fn main() {}
