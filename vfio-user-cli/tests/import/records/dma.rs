//! Imported from `dma.json` by `vfu import`.

// BAR 0 is dma

// dma.buffer: a memory
// left out dma.buffer: it contains no register

use vfio_user::{Device, PciDevice, Register, RegisterBlock};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0001, class = 0xff_0000)]
#[bar(0: mem32, size = 0x1000)]
struct Dma {
    /// Starts a transfer
    #[reg(0x00, reset = 0x20)]
    ctrl: Ctrl,
    #[block(0x10)]
    channel: Channel,
}

impl Device for Dma {
    type Event = ();
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Dma::default)
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    source: Source,
    #[reg(0x08, rc, reset = 0x00)]
    count: Count,
}

/// Starts a transfer
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Ctrl {
    #[field(bit = 0)]
    start: bool,
    #[field(bits = 4..=5)]
    size: CtrlSize,
    #[field(bits = 8..=11, w1c)]
    error: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[repr(u8)]
enum CtrlSize {
    #[default]
    Byte = 0,
    Half = 1,
    Word = 2,
    /// Any other value.
    Other(u8),
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u64)]
struct Source {
    #[field(bits = 0..=63)]
    address: u64,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Count {
    #[field(bits = 0..=23)]
    left: u32,
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Dma, super::Dma::default);
}
