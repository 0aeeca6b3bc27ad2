//! A serial port whose line leads back to itself: what is sent is received. Linux drives it with
//! its own `8250_pci`, as an ASIX AX99100, by the best interrupt that it offers: `uart msi|msix`.

use std::collections::VecDeque;

use clap::{Parser, ValueEnum};
use vfio_user::{Cx, Options, Result};

/// Serves a serial port that leads back to itself
#[derive(Parser)]
struct Program {
    /// Which interrupt it has besides INTA
    interrupt: Interrupt,
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, ValueEnum)]
enum Interrupt {
    Msi,
    Msix,
}

/// Line control: the first two registers are the divisor.
const DLAB: u8 = 1 << 7;
/// Interrupt enable and identification: received data, transmitter empty.
const RECEIVED: u8 = 1 << 0;
const EMPTY: u8 = 1 << 1;
/// Interrupt identification: none; received data; transmitter empty; the FIFOs are on.
const NONE: u8 = 0b0001;
const IS_RECEIVED: u8 = 0b0100;
const IS_EMPTY: u8 = 0b0010;
const FIFOS: u8 = 0b1100_0000;
/// Line status: a byte is there; both halves of the transmitter are empty.
const READY: u8 = 1 << 0;
const IDLE: u8 = 0b0110_0000;
/// Modem status: carrier, data set ready, clear to send.
const CONNECTED: u8 = 0b1011_0000;

/// What is behind the registers.
#[derive(Default, vfio_user::serde::Serialize, vfio_user::serde::Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Line {
    received: VecDeque<u8>,
    divisor: [u8; 2],
    /// The transmitter has become empty, and no interrupt has reported it.
    emptied: bool,
}

/// The device, with one kind of interrupt or another.
macro_rules! uart {
    ($name:ident, $($irq:tt)*) => {
        #[derive(Default, vfio_user::PciDevice)]
        #[pci(vendor = 0x125b, device = 0x9100, class = 0x07_0002, subsystem = (0xa000, 0x1000))]
        #[bar(0: io, size = 8)]
        #[irq(intx, $($irq)*)]
        struct $name {
            #[reg(0, read_with = Self::receive, write_with = Self::transmit)]
            data: vfio_user::Virtual<u8>,
            #[reg(1, read_with = Self::enabled, write_with = Self::enable)]
            interrupt_enable: u8,
            #[reg(2, read_with = Self::identify, write_with = Self::control_fifos)]
            interrupt_id: vfio_user::Virtual<u8>,
            #[reg(3)]
            line_control: u8,
            #[reg(4, mask = 0x1f)]
            modem_control: u8,
            #[reg(5, read_with = Self::line_status)]
            line_status: vfio_user::Virtual<u8>,
            #[reg(6, ro, reset = CONNECTED)]
            modem_status: vfio_user::Virtual<u8>,
            #[reg(7)]
            scratch: u8,
            line: Line,
        }

        impl vfio_user::Device for $name {
            type Event = ();

            fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
                self.line = Line::default();
            }
        }

        impl $name {
            fn divides(&self) -> bool {
                self.line_control & DLAB != 0
            }

            fn receive(&mut self, cx: &mut Cx<'_, Self>) -> u8 {
                if self.divides() {
                    return self.line.divisor[0];
                }
                let byte = self.line.received.pop_front().unwrap_or(0);
                self.interrupt(cx);
                byte
            }

            fn transmit(&mut self, cx: &mut Cx<'_, Self>, byte: u8) {
                if self.divides() {
                    self.line.divisor[0] = byte;
                    return;
                }
                // The guest reads it back or does without it.
                self.line.received.truncate(4095);
                self.line.received.push_back(byte);
                self.line.emptied = true;
                self.interrupt(cx);
            }

            fn enabled(&mut self, _: &mut Cx<'_, Self>) -> u8 {
                if self.divides() { self.line.divisor[1] } else { self.interrupt_enable }
            }

            fn enable(&mut self, cx: &mut Cx<'_, Self>, bits: u8) {
                if self.divides() {
                    self.line.divisor[1] = bits;
                    return;
                }
                self.line.emptied |= bits & !self.interrupt_enable & EMPTY != 0;
                self.interrupt_enable = bits & 0xf;
                self.interrupt(cx);
            }

            fn cause(&self) -> u8 {
                if self.interrupt_enable & RECEIVED != 0 && !self.line.received.is_empty() {
                    IS_RECEIVED
                } else if self.interrupt_enable & EMPTY != 0 && self.line.emptied {
                    IS_EMPTY
                } else {
                    NONE
                }
            }

            fn identify(&mut self, cx: &mut Cx<'_, Self>) -> u8 {
                let cause = self.cause();
                if cause == IS_EMPTY {
                    self.line.emptied = false;
                    self.interrupt(cx);
                }
                cause | FIFOS
            }

            fn control_fifos(&mut self, cx: &mut Cx<'_, Self>, bits: u8) {
                if bits & 0b10 != 0 {
                    self.line.received.clear();
                    self.interrupt(cx);
                }
            }

            fn line_status(&mut self, _: &mut Cx<'_, Self>) -> u8 {
                if self.line.received.is_empty() { IDLE } else { IDLE | READY }
            }

            fn interrupt(&mut self, cx: &mut Cx<'_, Self>) {
                cx.irq(0).set(self.cause() != NONE);
            }
        }
    };
}

uart!(MsiUart, msi = 1);
uart!(MsixUart, msix = 1);

fn main() -> Result<()> {
    let Program { interrupt, options } = Program::parse();
    match interrupt {
        Interrupt::Msi => options.run(MsiUart::default),
        Interrupt::Msix => options.run(MsixUart::default),
    }
}

#[cfg(test)]
mod tests {
    mod msi {
        use super::super::MsiUart;

        vfio_user::device_tests!(MsiUart, MsiUart::default);
    }

    mod msix {
        use super::super::MsixUart;

        vfio_user::device_tests!(MsixUart, MsixUart::default);
    }
}
