//! The contents of capabilities (PCI Local Bus Specification 3.0, 6.7; PCI Express Base
//! Specification 5.0, 7.5 to 7.9).

mod aer;
mod express;
mod interrupts;
mod power;

use super::config_layout::ConfigLayout;
use crate::model::spec::{cfg, extended_id, status, vpd};
use crate::model::{CapabilityKind, Descriptor, Listed};

/// Lays out all capabilities of a function, and links them in the order of their offsets.
pub(super) fn lay_out(layout: &mut ConfigLayout, descriptor: &Descriptor) {
    let mut places: Vec<_> = (0..descriptor.capability_count())
        .map(|place| (offset(descriptor, place), descriptor.capability(place)))
        .collect();
    places.sort_by_key(|(offset, _)| *offset);
    let (extended, plain): (Vec<_>, Vec<_>) =
        places.into_iter().partition(|(_, listed)| listed.capability.is_extended());
    link(layout, &plain);
    link_extended(layout, &extended);
    for (offset, listed) in plain.iter().chain(&extended) {
        fill(layout, descriptor, *offset, listed);
    }
}

fn offset(descriptor: &Descriptor, place: usize) -> usize {
    // The layout has been checked: the capability lies inside configuration space.
    usize::try_from(descriptor.capability_span(place).0).unwrap_or(0)
}

/// Links conventional capabilities: each has a byte with its id and one with the offset of the
/// next.
fn link(layout: &mut ConfigLayout, list: &[(usize, Listed<'_>)]) {
    let mut pointer = cfg::CAPABILITIES_POINTER;
    for (offset, listed) in list {
        let [id, _] = listed.capability.id().to_le_bytes();
        let [low, ..] = offset.to_le_bytes();
        layout.set(pointer, [low]);
        layout.set(*offset, [id, 0]);
        pointer = offset + 1;
    }
    if !list.is_empty() {
        let present = layout.get_u16(cfg::STATUS) | status::CAPABILITIES_LIST;
        layout.set(cfg::STATUS, present.to_le_bytes());
    }
}

/// Links extended capabilities: each has 16 bits of id, 4 of version, 12 with the offset of the
/// next.
fn link_extended(layout: &mut ConfigLayout, list: &[(usize, Listed<'_>)]) {
    for (place, (offset, listed)) in list.iter().enumerate() {
        let version = match listed.capability.kind() {
            CapabilityKind::Extended { version, .. } => version,
            CapabilityKind::Aer => 2,
            _ => 1,
        };
        let next = list.get(place + 1).map_or(0, |(next, _)| *next);
        let next = u32::try_from(next).unwrap_or(0);
        let header = u32::from(listed.capability.id()) | u32::from(version) << 16 | next << 20;
        layout.set(*offset, header.to_le_bytes());
    }
}

/// Fills the bytes behind the header.
fn fill(layout: &mut ConfigLayout, descriptor: &Descriptor, at: usize, listed: &Listed<'_>) {
    match listed.capability.kind() {
        CapabilityKind::Pm(can) => power::management(layout, at, can),
        CapabilityKind::Vpd => {
            let address = u16::from(vpd::FLAG) << 8 | vpd::ADDRESS_BITS;
            layout.let_write(at + vpd::ADDRESS, address.to_le_bytes());
            layout.let_write(at + vpd::DATA, u32::MAX.to_le_bytes());
        }
        CapabilityKind::Msi(msi) => interrupts::msi(layout, at, msi, descriptor.msi_vectors()),
        CapabilityKind::Msix => {
            if let Some(msix) = descriptor.msix_layout() {
                interrupts::msix(layout, at, &msix);
            }
        }
        CapabilityKind::Express(can) => {
            let has_ltr = descriptor.find_extended_capability(extended_id::LTR).is_some();
            express::lay_out(layout, at, can, has_ltr);
        }
        CapabilityKind::Vendor => {
            let size = u8::try_from(listed.size()).unwrap_or(u8::MAX);
            layout.set(at + 2, [size]);
            body(layout, at + 3, listed);
        }
        CapabilityKind::Subsystem => {
            let ids = descriptor.ids();
            layout.set(at + 4, ids.subsystem_vendor.to_le_bytes());
            layout.set(at + 6, ids.subsystem.to_le_bytes());
        }
        CapabilityKind::Custom { .. } => body(layout, at + 2, listed),
        CapabilityKind::Serial(number) => layout.set(at + 4, number.to_le_bytes()),
        CapabilityKind::Vsec { id, revision } => {
            let header = vendor_header(id, revision, listed.size());
            layout.set(at + 4, header.to_le_bytes());
            body(layout, at + 8, listed);
        }
        CapabilityKind::Dvsec { vendor, id, revision } => {
            let header = vendor_header(vendor, revision, listed.size());
            layout.set(at + 4, header.to_le_bytes());
            layout.set(at + 8, id.to_le_bytes());
            body(layout, at + 10, listed);
        }
        CapabilityKind::Aer => aer::lay_out(layout, at),
        CapabilityKind::Ltr => power::latency_tolerance(layout, at),
        CapabilityKind::Extended { .. } => body(layout, at + 4, listed),
    }
}

/// Returns a vendor's header: 16 bits of id, 4 of revision, 12 of length.
fn vendor_header(id: u16, revision: u8, size: u64) -> u32 {
    let size = u32::try_from(size).unwrap_or(0);
    u32::from(id) | u32::from(revision) << 16 | size << 20
}

/// Stores the author's bytes, and the bits of them that software may write.
fn body(layout: &mut ConfigLayout, at: usize, listed: &Listed<'_>) {
    layout.bytes[at..at + listed.bytes.len()].copy_from_slice(listed.bytes);
    layout.writable[at..at + listed.writable.len()].copy_from_slice(listed.writable);
}
