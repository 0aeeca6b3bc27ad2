//! The registers of the port, and its two FIFOs.

use vfio_user::{Cx, Device, Fifo, PciDevice, Register, ResetKind, Result, Timer, Virtual, Watch};

use crate::line::Line;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1b36, device = 0x0002, class = 0x07_0002, revision = 1, subsystem = (0x1af4, 0x1100))]
#[bar(0: io, size = 8)]
#[irq(intx)]
pub(crate) struct Uart {
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
    pub(crate) modem_control: ModemControl,
    #[reg(5, ro)]
    pub(crate) line_status: LineStatus,
    #[reg(6, ro)]
    modem_status: ModemStatus,
    #[reg(7)]
    scratch: u8,
    pub(crate) received: Fifo<u8, 16>,
    pub(crate) to_send: Fifo<u8, 16>,
    /// The transmitter has become empty, and the driver has not read that.
    pub(crate) has_sent: bool,
    /// Sends again what the line had no room for.
    #[timer(Self::transmit)]
    pub(crate) retry: Timer,
    #[migrate(skip)]
    pub(crate) line: Line,
    #[migrate(skip)]
    pub(crate) watch: Option<Watch>,
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
    /// Word length, stop bits, parity, break: no line distinguishes them.
    #[field(bits = 0..=6)]
    format: u8,
    /// The first two registers are the divisor.
    #[field(bit = 7)]
    dlab: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
pub(crate) struct ModemControl {
    /// Data terminal ready, request to send, and two outputs.
    #[field(bits = 0..=3)]
    outputs: u8,
    #[field(bit = 4)]
    pub(crate) loopback: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
pub(crate) struct LineStatus {
    #[field(bit = 0)]
    pub(crate) ready: bool,
    #[field(bit = 1, rc)]
    pub(crate) overrun: bool,
    /// Both halves of the transmitter are empty.
    #[field(bits = 5..=6, reset = 3)]
    pub(crate) empty: u8,
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

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        Ok(self.watch_line(cx)?)
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, (): ()) {
        if self.line.accept() {
            self.rewatch(cx);
        }
        self.fill(cx);
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        (self.received, self.to_send, self.has_sent) = (Fifo::new(), Fifo::new(), false);
        self.retry.cancel();
        self.fill(cx);
    }
}

impl Uart {
    pub(crate) fn new(line: Line) -> Self {
        Uart { line, ..Uart::default() }
    }

    fn receive(&mut self, cx: &mut Cx<'_, Self>, data: &mut [u8]) {
        data.fill_with(|| self.received.pop().unwrap_or(0));
        if self.received.is_empty() {
            self.fill(cx);
        }
        self.line_status.ready = !self.received.is_empty();
    }

    fn send(&mut self, cx: &mut Cx<'_, Self>, data: &[u8]) {
        for byte in data {
            if self.modem_control.loopback {
                self.take(*byte);
            } else {
                // What does not fit is lost, as on the chip.
                let _ = self.to_send.push(*byte);
            }
        }
        self.transmit(cx);
    }

    fn enable(&mut self, _: &mut Cx<'_, Self>, old: Causes, new: Causes) {
        self.has_sent |= new.sent && !old.sent && self.to_send.is_empty();
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

    fn control_fifos(&mut self, cx: &mut Cx<'_, Self>, _: FifoControl, new: FifoControl) {
        self.interrupt_id.fifos = if new.enable { 0b11 } else { 0 };
        if new.clear_received {
            self.received.clear();
            self.line_status.ready = false;
        }
        if new.clear_sent {
            self.to_send.clear();
            self.transmit(cx);
        }
    }

    fn connect(&mut self, cx: &mut Cx<'_, Self>, _: ModemControl, new: ModemControl) {
        // Inside, request to send leads to clear to send, and so on: the first two are swapped.
        let [ready, send, others] = [new.outputs & 1, new.outputs >> 1 & 1, new.outputs & 0b1100];
        let inputs = if new.loopback { send | ready << 1 | others } else { CONNECTED };
        self.modem_status.changed |= self.modem_status.inputs ^ inputs;
        self.modem_status.inputs = inputs;
        self.fill(cx);
    }
}
