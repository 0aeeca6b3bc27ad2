//! A 16550A serial port on PCI, as QEMU's `pci-serial`. Linux drives it with `8250_pci`.
//!
//! A plug at its line leads back what is sent, and the program prints it.

use std::io::{self, Write};

use vfio_user::{Cx, Device, Fifo, PciDevice, Register, ResetKind, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1b36, device = 0x0002, class = 0x07_0002, revision = 1, subsystem = (0x1af4, 0x1100))]
#[bar(0: io, size = 8)]
#[irq(intx)]
struct Uart {
    /// What is received, and what is to be sent.
    #[reg(0, port, when(line_control.dlab = 0), read_with = Self::receive, write_with = Self::send)]
    data: Virtual<u8>,
    #[reg(0, when(line_control.dlab = 1))]
    divisor_low: u8,
    #[reg(1, when(line_control.dlab = 0), on_write = Self::enable)]
    interrupt_enable: Causes,
    #[reg(1, when(line_control.dlab = 1))]
    divisor_high: u8,
    // To be read changes what it identifies.
    #[reg(2, ro, overlay, on_read = Self::identified, test(exclude = policies))]
    #[intr(status_with = Self::causes, enable = interrupt_enable, trigger = level,
        on_composed = Self::identify)]
    interrupt_id: Identity,
    #[reg(2, wo, overlay, on_write = Self::control_fifos)]
    fifo_control: FifoControl,
    #[reg(3)]
    line_control: LineControl,
    #[reg(4, on_write = Self::connect)]
    modem_control: ModemControl,
    #[reg(5, ro)]
    line_status: LineStatus,
    #[reg(6, ro)]
    modem_status: ModemStatus,
    #[reg(7)]
    scratch: u8,
    received: Fifo<u8, 16>,
    /// The transmitter has become empty, and the driver has not read that.
    has_sent: bool,
    /// Prints what is sent.
    #[migrate(skip)]
    output: Option<io::Stdout>,
}

/// The causes of an interrupt.
#[expect(clippy::struct_excessive_bools, reason = "the bits of a register")]
#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Causes {
    #[field(bit = 0)]
    received: bool,
    #[field(bit = 1)]
    sent: bool,
    #[field(bit = 2)]
    line: bool,
    #[field(bit = 3)]
    modem: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Identity {
    /// No interrupt is pending.
    #[field(bit = 0, reset = 1)]
    none: bool,
    #[field(bits = 1..=2)]
    cause: Cause,
    /// Both bits are set while the FIFOs are enabled.
    #[field(bits = 6..=7)]
    fifos: u8,
}

/// The most urgent cause.
#[derive(Clone, Copy, Default, PartialEq, Register)]
enum Cause {
    #[default]
    Modem,
    Sent,
    Received,
    Line,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct FifoControl {
    #[field(bit = 0)]
    enable: bool,
    #[field(bit = 1, singlepulse)]
    clear_received: bool,
    #[field(bit = 2, singlepulse)]
    clear_sent: bool,
    #[field(bits = 6..=7)]
    trigger: u8,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct LineControl {
    /// Word length, stop bits, parity, break: the plug does not distinguish them.
    #[field(bits = 0..=6)]
    format: u8,
    /// The first two registers are the divisor.
    #[field(bit = 7)]
    dlab: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct ModemControl {
    /// Data terminal ready, request to send, and two outputs.
    #[field(bits = 0..=3)]
    outputs: u8,
    #[field(bit = 4)]
    loopback: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct LineStatus {
    #[field(bit = 0)]
    ready: bool,
    #[field(bit = 1, rc)]
    overrun: bool,
    /// Both halves of the transmitter are always empty: sending takes no time.
    #[field(bits = 5..=6, reset = 3)]
    empty: u8,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct ModemStatus {
    #[field(bits = 0..=3, rc)]
    changed: u8,
    /// Clear to send, data set ready, ring, carrier.
    #[field(bits = 4..=7, reset = CONNECTED)]
    inputs: u8,
}

const CONNECTED: u8 = 0b1011;

impl Device for Uart {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.received, self.has_sent) = (Fifo::default(), false);
    }
}

impl Uart {
    fn receive(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        data.fill_with(|| self.received.pop().unwrap_or(0));
        self.line_status.ready = !self.received.is_empty();
    }

    fn send(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        // The output may have no reader.
        let _ = self.output.iter_mut().try_for_each(|output| output.write_all(data));
        for byte in data {
            self.line_status.overrun |= self.received.push(*byte).is_err();
        }
        (self.line_status.ready, self.has_sent) = (true, true);
    }

    fn enable(&mut self, _: &mut Cx<'_, Self>, old: Causes, new: Causes) {
        self.has_sent |= new.sent && !old.sent;
    }

    fn causes(&self) -> Causes {
        let LineStatus { ready, overrun, .. } = self.line_status;
        let modem = self.modem_status.changed != 0;
        Causes { received: ready, sent: self.has_sent, line: overrun, modem }
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, pending: Causes) {
        let causes = [
            (pending.line, Cause::Line),
            (pending.received, Cause::Received),
            (pending.sent, Cause::Sent),
            (pending.modem, Cause::Modem),
        ];
        let urgent = causes.into_iter().find(|(is_pending, _)| *is_pending);
        self.interrupt_id.none = urgent.is_none();
        self.interrupt_id.cause = urgent.map_or(Cause::Modem, |(_, cause)| cause);
    }

    fn identified(&mut self, _: &mut Cx<'_, Self>, id: Identity) {
        self.has_sent &= id.cause != Cause::Sent;
    }

    fn control_fifos(&mut self, _: &mut Cx<'_, Self>, _: FifoControl, new: FifoControl) {
        self.interrupt_id.fifos = if new.enable { 0b11 } else { 0 };
        if new.clear_received {
            self.received.clear();
            self.line_status.ready = false;
        }
    }

    fn connect(&mut self, _: &mut Cx<'_, Self>, _: ModemControl, new: ModemControl) {
        // Inside, request to send leads to clear to send, and so on: the first two are swapped.
        let [ready, send, others] = [new.outputs & 1, new.outputs >> 1 & 1, new.outputs & 0b1100];
        let inputs = if new.loopback { send | ready << 1 | others } else { CONNECTED };
        self.modem_status.changed |= self.modem_status.inputs ^ inputs;
        self.modem_status.inputs = inputs;
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(|| Uart { output: Some(io::stdout()), ..Uart::default() })
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Uart, super::Uart::default);
}
