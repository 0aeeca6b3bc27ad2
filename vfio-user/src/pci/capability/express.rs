//! PCI Express (PCI Express Base Specification 5.0, 7.5.3).

use super::ConfigLayout;
use crate::device::ExpressPort;

/// What kind of function it is, and its device and link registers.
pub(super) fn lay_out(layout: &mut ConfigLayout, at: usize, port: ExpressPort, has_ltr: bool) {
    const VERSION_2: u16 = 2;
    let kind = match port {
        ExpressPort::Endpoint => 0b0000,
        ExpressPort::Legacy => 0b0001,
        ExpressPort::Integrated => 0b1001,
    };
    layout.set(at + 0x02, (VERSION_2 | kind << 4).to_le_bytes());
    device(layout, at);
    if port != ExpressPort::Integrated {
        link(layout, at);
    }
    if has_ltr {
        latency_tolerance(layout, at);
    }
}

/// Device capabilities, control and status (7.5.3.3 to 7.5.3.5).
fn device(layout: &mut ConfigLayout, at: usize) {
    const ROLE_BASED_ERRORS: u32 = 1 << 15;
    /// Everything but "initiate function level reset", which reads zero.
    const CONTROL: u16 = 0x7fff;
    /// Relaxed ordering, no snoop, read requests of 512 bytes.
    const CONTROL_DEFAULT: u16 = 1 << 4 | 1 << 11 | 0b010 << 12;
    /// Correctable, non-fatal and fatal errors, and unsupported requests, detected.
    const STATUS_ERRORS: u16 = 0b1111;
    layout.set(at + 0x04, ROLE_BASED_ERRORS.to_le_bytes());
    layout.set(at + 0x08, CONTROL_DEFAULT.to_le_bytes());
    layout.let_write(at + 0x08, CONTROL.to_le_bytes());
    layout.let_clear(at + 0x0a, STATUS_ERRORS.to_le_bytes());
}

/// One lane at 2.5 GT/s: link capabilities, control and status (7.5.3.6 to 7.5.3.8), and their second
/// ones.
fn link(layout: &mut ConfigLayout, at: usize) {
    const GEN1_X1: u16 = 1 << 4 | 1;
    /// ASPM, read completion boundary, common clock, extended synch, clock power management.
    const CONTROL: u16 = 0b1_1100_1011;
    layout.set(at + 0x0c, u32::from(GEN1_X1).to_le_bytes());
    layout.let_write(at + 0x10, CONTROL.to_le_bytes());
    layout.set(at + 0x12, GEN1_X1.to_le_bytes());
    // Link capabilities 2: 2.5 GT/s; link control 2: that speed is the target.
    layout.set(at + 0x2c, (1u32 << 1).to_le_bytes());
    layout.set(at + 0x30, 1u16.to_le_bytes());
}

/// Device capabilities 2 and control 2 (7.5.3.15, 7.5.3.16): latencies may be reported.
fn latency_tolerance(layout: &mut ConfigLayout, at: usize) {
    const SUPPORTED: u32 = 1 << 11;
    const ENABLE: u16 = 1 << 10;
    layout.set(at + 0x24, SUPPORTED.to_le_bytes());
    layout.let_write(at + 0x28, ENABLE.to_le_bytes());
}
