//! Power management and latency tolerance.

use super::ConfigLayout;

/// PCI Power Management Interface Specification 1.2, 3.2.
pub(super) fn management(layout: &mut ConfigLayout, at: usize) {
    /// Version 3; D1 and D2 exist, since every state can be written.
    const VERSION_3: u16 = 1 << 10 | 1 << 9 | 3;
    const NO_SOFT_RESET: u16 = 1 << 3;
    const POWER_STATE: u16 = 0b11;
    layout.set(at + 2, VERSION_3.to_le_bytes());
    layout.set(at + 4, NO_SOFT_RESET.to_le_bytes());
    layout.let_write(at + 4, POWER_STATE.to_le_bytes());
}

/// PCI Express Base Specification 5.0, 7.8.2: value and scale of both latencies.
pub(super) fn latency_tolerance(layout: &mut ConfigLayout, at: usize) {
    const VALUE_AND_SCALE: u16 = 0x1fff;
    layout.let_write(at + 4, VALUE_AND_SCALE.to_le_bytes());
    layout.let_write(at + 6, VALUE_AND_SCALE.to_le_bytes());
}
