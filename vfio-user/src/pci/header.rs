//! The header of configuration space (PCI Local Bus Specification 3.0, 6.1, header type 0).

use super::config_layout::ConfigLayout;
use crate::layout::BarKind;
use crate::model::spec::{bar, bist, cfg, command, status};
use crate::model::{Bar, Descriptor};

pub(super) fn lay_out(layout: &mut ConfigLayout, descriptor: &Descriptor) {
    let ids = descriptor.ids();
    let [class @ .., _] = ids.class.to_le_bytes();
    layout.set(cfg::VENDOR_ID, ids.vendor.to_le_bytes());
    layout.set(cfg::DEVICE_ID, ids.device.to_le_bytes());
    layout.set(cfg::REVISION_ID, [ids.revision]);
    layout.set(cfg::CLASS_CODE, class);
    layout.set(cfg::SUBSYSTEM_VENDOR_ID, ids.subsystem_vendor.to_le_bytes());
    layout.set(cfg::SUBSYSTEM_ID, ids.subsystem.to_le_bytes());
    layout.let_write(cfg::COMMAND, command::WRITABLE.to_le_bytes());
    layout.let_clear(cfg::STATUS, status::ERRORS.to_le_bytes());
    layout.let_write(cfg::CACHE_LINE_SIZE, [0xff]);
    if !descriptor.is_express() {
        layout.let_write(cfg::LATENCY_TIMER, [0xff]);
    }
    if descriptor.has_self_test() {
        layout.set(cfg::BIST, [bist::CAPABLE]);
        layout.let_change(cfg::BIST, [bist::CODE]);
    }
    layout.set(cfg::MIN_GNT, [descriptor.min_gnt()]);
    layout.set(cfg::MAX_LAT, [descriptor.max_lat()]);
    layout.let_write(cfg::INTERRUPT_LINE, [0xff]);
    layout.set(cfg::INTERRUPT_PIN, [u8::from(descriptor.has_intx())]);
    for (index, bar) in descriptor.bars().iter().enumerate() {
        if let Some(bar) = bar {
            lay_out_bar(layout, cfg::BAR0 + index * 4, *bar);
        }
    }
    if let Ok(size @ 1..) = u32::try_from(descriptor.rom_size()) {
        layout.let_write(cfg::ROM_ADDRESS, (address_bits(size) | bar::ROM_ENABLE).to_le_bytes());
    }
}

/// Lays out a BAR. The type bits are read-only, the address bits at or above the size are writable:
/// so all ones read back as the mask of the size.
fn lay_out_bar(layout: &mut ConfigLayout, offset: usize, bar: Bar) {
    let prefetchable = if bar.is_prefetchable() { bar::PREFETCHABLE } else { 0 };
    let address = bar.size().wrapping_neg();
    match bar.kind() {
        BarKind::Mem64 => {
            layout.set(offset, (bar::MEMORY_64 | prefetchable).to_le_bytes());
            layout.let_write(offset, address.to_le_bytes());
        }
        kind => {
            let space = if kind == BarKind::Io { bar::IO } else { prefetchable };
            let [a, b, c, d, ..] = address.to_le_bytes();
            layout.set(offset, space.to_le_bytes());
            layout.let_write(offset, [a, b, c, d]);
        }
    }
}

fn address_bits(size: u32) -> u32 {
    size.wrapping_neg()
}
