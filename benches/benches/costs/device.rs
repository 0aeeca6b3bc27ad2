//! A device with as much of everything as a function can have.

use std::sync::mpsc::Sender;

use vfio_user::{Cx, Device, PciDevice, SessionDma, Shared, Virtual};

/// Registers of BAR 0, of a byte each.
pub(crate) const BYTES: u32 = 1 << 20;
/// The size of the memory of BAR 2.
pub(crate) const MEMORY: u64 = 256 << 20;
/// Interrupt vectors.
pub(crate) const VECTORS: u32 = 2048;

/// What the benchmark does in the place of the device.
pub(crate) struct Handles {
    /// Its client's memory.
    pub(crate) dma: SessionDma,
    /// The memory of BAR 2.
    pub(crate) memory: Shared,
}

/// The device.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 0xc057)]
#[bar(0: mem32, size = 0x10_0000)]
#[bar(1: mem32, size = 0x1000)]
#[bar(2: mem64, size = MEMORY, prefetchable, shared)]
#[bar(4: mem32, size = 0x1000)]
#[irq(msix = 2048, bar = 5)]
#[capability(express(endpoint, flr))]
pub(crate) struct Largest {
    #[reg(0x0, read_with = Self::read, write_with = Self::write)]
    bytes: [Virtual<u8>; 1 << 20],
    #[reg(0x0, bar = 1)]
    registers: [u32; 1000],
    #[reg(0x0, bar = 4, wo, kick = Self::kicked)]
    doorbells: [Virtual<u32>; 253],
    sum: u8,
    #[migrate(skip)]
    handles: Sender<Handles>,
}

impl Largest {
    /// Creates the device, which sends its handles when a client has connected.
    pub(crate) fn new(handles: Sender<Handles>) -> Self {
        Largest {
            bytes: [Virtual::default(); 1 << 20],
            registers: [0; 1000],
            doorbells: [Virtual::default(); 253],
            sum: 0,
            handles,
        }
    }

    fn read(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u8 {
        self.sum.wrapping_add(index.to_le_bytes()[0])
    }

    fn write(&mut self, _: &mut Cx<'_, Self>, _: usize, value: u8) {
        self.sum = self.sum.wrapping_add(value);
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: usize) {
        self.sum = self.sum.wrapping_add(1);
    }
}

impl Device for Largest {
    type Event = ();

    fn connected(&mut self, cx: &mut Cx<'_, Self>) {
        let handles = Handles { dma: cx.dma().for_session(), memory: cx.shared(2).clone() };
        // The benchmark may have ended.
        let _ = self.handles.send(handles);
    }
}
