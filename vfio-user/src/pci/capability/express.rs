//! PCI Express (PCI Express Base Specification 5.0, 7.5.3).

use super::ConfigLayout;
use crate::model::spec::express;
use crate::model::{Express, ExpressPort};
use crate::pci::config_layout::OF_LINK;

/// Lays out the type of the function, and its device and link registers.
pub(super) fn lay_out(layout: &mut ConfigLayout, at: usize, can: Express, has_ltr: bool) {
    const VERSION_2: u16 = 2;
    let kind = match can.port() {
        ExpressPort::Endpoint => 0b0000,
        ExpressPort::Legacy => 0b0001,
        ExpressPort::Integrated => 0b1001,
    };
    layout.set(at + 0x02, (VERSION_2 | kind << 4).to_le_bytes());
    device(layout, at, can.has_flr());
    device_2(layout, at, has_ltr);
    if can.port() != ExpressPort::Integrated {
        link(layout, at);
    }
}

/// Device capabilities, control and status (7.5.3.3 to 7.5.3.5): payloads of 128 bytes, tags of 5
/// bits, no phantom functions, no auxiliary power.
fn device(layout: &mut ConfigLayout, at: usize, has_flr: bool) {
    const ROLE_BASED_ERRORS: u32 = 1 << 15;
    const MAX_PAYLOAD: u16 = 0b111 << 5;
    /// Enables of error reports, relaxed ordering, payload, no snoop, read request. "Initiate
    /// function level reset" reads zero.
    const CONTROL: u16 = 0xf | 1 << 4 | MAX_PAYLOAD | 1 << 11 | 0b111 << 12;
    /// Relaxed ordering, no snoop, read requests of 512 bytes.
    const CONTROL_DEFAULT: u16 = 1 << 4 | 1 << 11 | 0b010 << 12;
    let flr = if has_flr { express::FLR_CAPABLE } else { 0 };
    layout.set(at + express::DEVICE_CAPABILITIES, (ROLE_BASED_ERRORS | flr).to_le_bytes());
    layout.set(at + express::DEVICE_CONTROL, CONTROL_DEFAULT.to_le_bytes());
    layout.let_write(at + express::DEVICE_CONTROL, CONTROL.to_le_bytes());
    layout.keep(at + express::DEVICE_CONTROL, MAX_PAYLOAD.to_le_bytes(), OF_LINK);
    layout.let_clear(at + express::DEVICE_STATUS, express::ERRORS.to_le_bytes());
}

/// Device capabilities 2 and control 2 (7.5.3.15, 7.5.3.16): completion timeouts in one range, or
/// disabled; latencies may be reported.
fn device_2(layout: &mut ConfigLayout, at: usize, has_ltr: bool) {
    const NO_TIMEOUT: u16 = 1 << 4;
    const LTR_SUPPORTED: u32 = 1 << 11;
    const LTR_ENABLE: u16 = 1 << 10;
    let (supported, enable) = if has_ltr { (LTR_SUPPORTED, LTR_ENABLE) } else { (0, 0) };
    layout.set(at + 0x24, (u32::from(NO_TIMEOUT) | supported).to_le_bytes());
    layout.let_write(at + 0x28, (NO_TIMEOUT | enable).to_le_bytes());
}

/// One lane at 2.5 GT/s: link capabilities, control and status (7.5.3.6 to 7.5.3.8), and their
/// second versions. All writable bits belong to the link.
fn link(layout: &mut ConfigLayout, at: usize) {
    const GEN1_X1: u16 = 1 << 4 | 1;
    const ASPM_OPTIONAL: u32 = 1 << 22;
    /// ASPM, read completion boundary, common clock, extended synch.
    const CONTROL: u16 = 0b1100_1011;
    layout.set(at + 0x0c, (ASPM_OPTIONAL | u32::from(GEN1_X1)).to_le_bytes());
    layout.let_write(at + 0x10, CONTROL.to_le_bytes());
    layout.keep(at + 0x10, CONTROL.to_le_bytes(), OF_LINK);
    layout.set(at + 0x12, GEN1_X1.to_le_bytes());
    // Link capabilities 2: 2.5 GT/s; link control 2: that speed is the target.
    layout.set(at + 0x2c, (1u32 << 1).to_le_bytes());
    layout.set(at + 0x30, 1u16.to_le_bytes());
}
