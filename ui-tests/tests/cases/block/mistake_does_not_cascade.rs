use vfio_user::{Cx, Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x02, on_write = written)]
    base: u64,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[block(0x100)]
    queue: Queue,
}

impl Device for Edu {
    type Event = ();
}

impl QueueHost for Edu {
    fn written(&mut self, _: &mut Cx<'_, Self>, _index: usize, _old: u64, _new: u64) {}
}

fn main() {}
