//! Power management and latency tolerance.

use super::ConfigLayout;
use crate::model::spec::pm;
use crate::model::{PowerManagement, PowerStates, ResetKind};
use crate::pci::config_layout::STICKY;

/// Lays out power management (PCI Power Management Interface Specification 1.2, 3.2).
pub(super) fn management(layout: &mut ConfigLayout, at: usize, can: PowerManagement) {
    let wakes = can.wakes_from();
    let bit = |state, bit: u16| if can.states().contains(state) { bit } else { 0 };
    let capabilities = pm::VERSION_1_2
        | bit(PowerStates::D1, pm::D1)
        | bit(PowerStates::D2, pm::D2)
        | u16::from(wakes.bits()) << pm::PME_STATES;
    layout.set(at + pm::CAPABILITIES, capabilities.to_le_bytes());
    let control = at + pm::CONTROL;
    if !can.is_reset_from_d3hot() {
        layout.set(control, pm::NO_SOFT_RESET.to_le_bytes());
    }
    let enable = if wakes.is_empty() { 0 } else { pm::PME_ENABLE };
    layout.let_write(control, (u16::from(pm::POWER_STATE) | enable).to_le_bytes());
    if !wakes.is_empty() {
        layout.let_clear(control, pm::PME_STATUS.to_le_bytes());
        // A function that can wake from D3 keeps the event over the reset; one that can wake
        // without power keeps it over every reset.
        let kept =
            if wakes.contains(PowerStates::D3_COLD) { STICKY } else { &[ResetKind::PowerState] };
        layout.keep(control, (pm::PME_ENABLE | pm::PME_STATUS).to_le_bytes(), kept);
    }
}

/// Lays out latency tolerance reporting (PCI Express Base Specification 5.0, 7.8.2): value and
/// scale of both latencies.
pub(super) fn latency_tolerance(layout: &mut ConfigLayout, at: usize) {
    const VALUE_AND_SCALE: u16 = 0x1fff;
    layout.let_write(at + 4, VALUE_AND_SCALE.to_le_bytes());
    layout.let_write(at + 6, VALUE_AND_SCALE.to_le_bytes());
}
