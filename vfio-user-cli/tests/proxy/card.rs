//! A device with all that takes descriptors.

use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};
use vfio_user_tests::serve::Running;

/// Bytes that a fetch reads.
pub(crate) const FETCHED: usize = 4;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5678)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x2000, shared(0x1000..0x2000))]
#[irq(intx, msix = 4)]
pub(crate) struct Card {
    #[reg(0x00)]
    status: u32,
    /// Reads bytes at an address into `status`.
    #[reg(0x08, wo, write_with = Self::fetch)]
    fetch: Virtual<u64>,
    /// Writes `status` to an address, and interrupts.
    #[reg(0x10, wo, write_with = Self::store)]
    store: Virtual<u64>,
    #[block(0x100, stride = 0x40)]
    queues: [Queue; 3],
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x08)]
    tail: u64,
}

impl Card {
    pub(crate) const STATUS: u64 = 0;
    pub(crate) const FETCH: u64 = 8;
    pub(crate) const STORE: u64 = 0x10;

    /// Returns a card with a value of `status`.
    pub(crate) fn with_status(status: u32) -> Self {
        Card { status, ..Card::default() }
    }

    fn fetch(_: &mut Self, cx: &mut Cx<'_, Self>, address: u64) {
        cx.fetch(address, FETCHED, |fetched| fetched.expect("it is mapped"));
    }

    fn store(&mut self, cx: &mut Cx<'_, Self>, address: u64) {
        cx.dma().write(address, &self.status.to_le_bytes()).expect("it is mapped");
        cx.irq(0).raise();
        cx.irq(0).withdraw();
    }
}

impl Device for Card {
    type Event = Vec<u8>;

    fn event(&mut self, _: &mut Cx<'_, Self>, fetched: Vec<u8>) {
        self.status = u32::from_le_bytes(fetched.try_into().expect("4 bytes"));
    }
}

/// Serves a card whose `status` is 0x1234.
pub(crate) fn card() -> Running {
    Running::at_path(|| Card::with_status(0x1234))
}
