//! Advanced error reporting (PCI Express Base Specification 5.0, 7.8.4).

use super::ConfigLayout;
use crate::model::spec::aer;
use crate::pci::config_layout::STICKY;

/// Lays out all errors, without checksums of packets, and with one header in the log. All registers
/// are sticky.
pub(super) fn lay_out(layout: &mut ConfigLayout, at: usize) {
    let uncorrectable = aer::ERRORS.to_le_bytes();
    let correctable = aer::CORRECTABLE_ERRORS.to_le_bytes();
    layout.let_clear(at + aer::STATUS, uncorrectable);
    layout.set(at + aer::MASK, aer::DEFAULT_MASK.to_le_bytes());
    layout.let_write(at + aer::MASK, uncorrectable);
    layout.set(at + aer::SEVERITY, aer::DEFAULT_SEVERITY.to_le_bytes());
    layout.let_write(at + aer::SEVERITY, uncorrectable);
    layout.let_clear(at + aer::CORRECTABLE_STATUS, correctable);
    layout.set(at + aer::CORRECTABLE_MASK, aer::DEFAULT_CORRECTABLE_MASK.to_le_bytes());
    layout.let_write(at + aer::CORRECTABLE_MASK, correctable);
    layout.let_change(at + aer::CONTROL, aer::FIRST_ERROR.to_le_bytes());
    layout.let_change(at + aer::HEADER_LOG, [0xff; 16]);
    layout.keep(at + aer::STATUS, [0xff; aer::SIZE - aer::STATUS], STICKY);
}
