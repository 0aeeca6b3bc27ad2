//! Imported from `gpio.xml` by `vfu import`.

// BAR 0 is gpio: Pins

use vfio_user::{Device, PciDevice, Register, RegisterBlock};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0001, class = 0xff_0000)]
#[bar(0: mem32, size = 0x1000)]
struct Gpio {
    #[reg(0x00, reset = 0xff)]
    out: Out,
    #[reg(0x10, w1c)]
    edge: [Edge; 2],
    #[block(0x20, stride = 0x08)]
    bank: [Bank; 2],
}

impl Device for Gpio {
    type Event = ();
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Gpio::default)
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Bank {
    #[reg(0x00, ro)]
    mux: u32,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Out {
    /// A bit for each pin
    #[field(bits = 0..=15)]
    level: u16,
    #[field(bits = 16..=17, w1)]
    drive: OutDrive,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[repr(u8)]
enum OutDrive {
    #[default]
    Weak = 0,
    /// Any other value.
    Other(u8),
    Strong = 3,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u16)]
struct Edge {
    #[field(bits = 0..=15)]
    seen: u16,
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Gpio, super::Gpio::default);
}
