//! What depends on a wrong declaration causes no error of its own.

use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Result};

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
}

const QUEUES: usize = Cx::<Nic>::block_index("queues");

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x1000, shared)]
#[irq(msix = 4)]
struct Nic {
    #[reg(0x00, reset = 0x100)]
    control: u8,
    #[block(0x100)]
    queues: [Queue; 4],
}

impl Device for Nic {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        cx.reset_block(self, QUEUES, 0);
        cx.declared_irq::<3>().raise();
        cx.declared_shared::<2>().write(0x10, &[1])?;
        Ok(())
    }
}

fn main() {}
