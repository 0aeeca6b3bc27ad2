//! PCI Express (PCI Express Base Specification 5.0, 7.5.3).

use super::ConfigLayout;
use crate::model::spec::express;
use crate::model::{Express, ExpressPort};
use crate::pci::config_layout::{OF_LINK, STICKY};

/// Lays out the type of the function, and its device and link registers.
pub(super) fn lay_out(layout: &mut ConfigLayout, at: usize, can: Express, has_ltr: bool) {
    const VERSION_2: u16 = 2;
    let kind = match can.port() {
        ExpressPort::Endpoint => 0b0000,
        ExpressPort::Legacy => 0b0001,
        ExpressPort::Integrated => 0b1001,
    };
    layout.set(at + 0x02, (VERSION_2 | kind << 4).to_le_bytes());
    device(layout, at, can);
    device_2(layout, at, can, has_ltr);
    if let Some((speed, width)) = can.link() {
        link(layout, at, speed, width);
    }
}

/// Device capabilities, control and status (7.5.3.3 to 7.5.3.5): no phantom functions, no auxiliary
/// power. Software enables what exceeds payloads of 128 bytes and tags of 5 bits.
fn device(layout: &mut ConfigLayout, at: usize, can: Express) {
    const ROLE_BASED_ERRORS: u32 = 1 << 15;
    const EXTENDED_TAGS: u32 = 1 << 5;
    const EXTENDED_TAGS_ENABLE: u16 = 1 << 8;
    const MAX_PAYLOAD: u16 = 0b111 << 5;
    /// Enables of error reports, relaxed ordering, payload, no snoop, read request. "Initiate
    /// function level reset" reads zero.
    const CONTROL: u16 = 0xf | 1 << 4 | MAX_PAYLOAD | 1 << 11 | 0b111 << 12;
    /// Relaxed ordering, no snoop, read requests of 512 bytes.
    const CONTROL_DEFAULT: u16 = 1 << 4 | 1 << 11 | 0b010 << 12;
    let payload = can.payload().trailing_zeros() - 128_u16.trailing_zeros();
    let flr = if can.has_flr() { express::FLR_CAPABLE } else { 0 };
    let (tags, tags_enable) =
        if can.has_extended_tags() { (EXTENDED_TAGS, EXTENDED_TAGS_ENABLE) } else { (0, 0) };
    let capabilities = payload | tags | ROLE_BASED_ERRORS | flr;
    layout.set(at + express::DEVICE_CAPABILITIES, capabilities.to_le_bytes());
    layout.set(at + express::DEVICE_CONTROL, CONTROL_DEFAULT.to_le_bytes());
    layout.let_write(at + express::DEVICE_CONTROL, (CONTROL | tags_enable).to_le_bytes());
    layout.keep(at + express::DEVICE_CONTROL, MAX_PAYLOAD.to_le_bytes(), OF_LINK);
    layout.let_clear(at + express::DEVICE_STATUS, express::ERRORS.to_le_bytes());
}

/// Device capabilities 2 and control 2 (7.5.3.15, 7.5.3.16): completion timeouts in one range, or
/// disabled; latencies may be reported. A function whose link has 16 GT/s completes requests with
/// tags of 10 bits.
fn device_2(layout: &mut ConfigLayout, at: usize, can: Express, has_ltr: bool) {
    const NO_TIMEOUT: u16 = 1 << 4;
    const LTR_SUPPORTED: u32 = 1 << 11;
    const LTR_ENABLE: u16 = 1 << 10;
    const COMPLETES_TAGS_OF_10_BITS: u32 = 1 << 16;
    const SPEED_16_GT: u8 = 4;
    let (supported, enable) = if has_ltr { (LTR_SUPPORTED, LTR_ENABLE) } else { (0, 0) };
    let is_fast = can.link().is_some_and(|(speed, _)| speed >= SPEED_16_GT);
    let tags = if is_fast { COMPLETES_TAGS_OF_10_BITS } else { 0 };
    layout.set(at + 0x24, (u32::from(NO_TIMEOUT) | supported | tags).to_le_bytes());
    layout.let_write(at + 0x28, (NO_TIMEOUT | enable).to_le_bytes());
}

/// Link capabilities, control and status (7.5.3.6 to 7.5.3.8), and their second versions (7.5.3.18,
/// 7.5.3.19). All writable bits belong to the link, which always has its full speed and width.
fn link(layout: &mut ConfigLayout, at: usize, speed: u8, width: u8) {
    const ASPM_OPTIONAL: u32 = 1 << 22;
    /// ASPM, read completion boundary, common clock, extended synch.
    const CONTROL: u16 = 0b1100_1011;
    const TARGET_SPEED: u8 = 0xf;
    let trained = u16::from(width) << 4 | u16::from(speed);
    layout.set(at + 0x0c, (ASPM_OPTIONAL | u32::from(trained)).to_le_bytes());
    layout.let_write(at + 0x10, CONTROL.to_le_bytes());
    layout.keep(at + 0x10, CONTROL.to_le_bytes(), OF_LINK);
    layout.set(at + 0x12, trained.to_le_bytes());
    // A bit for each generation, from bit 1 on.
    layout.set(at + 0x2c, (((1_u32 << speed) - 1) << 1).to_le_bytes());
    layout.set(at + 0x30, [speed]);
    if speed > 1 {
        layout.let_write(at + 0x30, [TARGET_SPEED]);
        layout.keep(at + 0x30, [TARGET_SPEED], STICKY);
    }
}
