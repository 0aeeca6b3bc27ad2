//! A device with memory that its clients map, and registers next to it.

use vfio_user::declaration::Descriptor;
use vfio_user::{Cx, Device, PciDevice, Result, Virtual};

/// Offsets of the registers in BAR 0.
pub mod reg {
    #![allow(missing_docs, reason = "named as the fields of the device")]
    pub const SCRATCH: u64 = 0x00;
    pub const AT: u64 = 0x08;
    pub const VALUE: u64 = 0x10;
    pub const LAST: u64 = 0x1ffc;
}

/// BAR 0 has registers in its first pages, and memory in two areas; BAR 2 is memory, 64 GiB
/// unless it is made smaller.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5a, class = 0x05_8000)]
#[bar(0: mem32, size = 0x8000, shared(0x2000..0x4000, 0x6000..0x7000))]
#[bar(2: mem64, size = 64 << 30, prefetchable, shared)]
pub struct Mailbox {
    #[reg(0x00)]
    scratch: u32,
    /// Where in the memory of BAR 0 `value` is.
    #[reg(0x08)]
    at: u64,
    /// What the device finds there, and stores there.
    #[reg(0x10, read_with = Self::load, write_with = Self::store)]
    value: Virtual<u32>,
    /// The last word before the memory.
    #[reg(0x1ffc)]
    last: u32,
    size: Option<u64>,
}

impl Device for Mailbox {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        self.size.map_or(Ok(()), |size| Ok(descriptor.set_bar_size(2, size)?))
    }
}

impl Mailbox {
    /// Creates a device whose BAR 2 has this many bytes.
    pub fn of_size(size: u64) -> Self {
        Mailbox { size: Some(size), ..Mailbox::default() }
    }

    fn load(&mut self, cx: &mut Cx<'_, Self>) -> u32 {
        cx.shared(0).load(self.at).unwrap_or(u32::MAX)
    }

    fn store(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        if let Err(error) = cx.shared(0).store(self.at, value) {
            eprintln!("mailbox: {error}");
        }
    }
}
