//! Imported from `uart.svd` by `vfu import`.

// BAR 0 is UART: Sends and receives bytes

use vfio_user::{Device, PciDevice, Register};

/// A UART with a FIFO
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0001, class = 0xff_0000)]
#[bar(0: mem32, size = 0x1000)]
pub struct Uart {
    /// The next byte
    // a read has an effect: it needs `on_read` or `read_with`
    #[reg(0x00)]
    data: u32,
    #[reg(0x04, ro, reset = 0x60)]
    status: Status,
    #[reg(0x08, reset = 0x03)]
    control: Control,
    /// The clock, divided by 16 times the baud rate
    #[reg(0x0c, reset = 0x01)]
    divisor: u16,
    #[reg(0x10, w1c, reset = 0x00)]
    irq: u32,
}

impl Device for Uart {
    type Event = ();
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Status {
    /// A byte has arrived
    #[field(bit = 0)]
    rx_ready: bool,
    #[field(bit = 5)]
    tx_empty: bool,
    #[field(bit = 6)]
    tx_idle: bool,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Control {
    /// The length of a character
    #[field(bits = 0..=1)]
    bits: ControlBits,
    #[field(bit = 3)]
    parity: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
enum ControlBits {
    #[default]
    N5Bits = 0,
    N6Bits = 1,
    N7Bits = 2,
    N8Bits = 3,
}
