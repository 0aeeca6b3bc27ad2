//! Capabilities, in words.

use crate::device::{Capability, CapabilityKind, Descriptor, ExpressPort};

/// The offset of each capability and what it is, in the order of the offsets.
pub(super) fn all(descriptor: &Descriptor) -> Vec<(u64, String)> {
    let mut all: Vec<_> = (0..descriptor.capability_count())
        .map(|place| {
            let listed = descriptor.capability(place);
            let (start, end) = descriptor.capability_span(place);
            (start, words(listed.capability, end - start))
        })
        .collect();
    all.sort_by_key(|(offset, _)| *offset);
    all
}

fn words(capability: &Capability, size: u64) -> String {
    match capability.kind() {
        CapabilityKind::Pm(_) => "power management".to_owned(),
        CapabilityKind::Vpd => "vital product data".to_owned(),
        CapabilityKind::Msi(_) => "MSI".to_owned(),
        CapabilityKind::Msix => "MSI-X".to_owned(),
        CapabilityKind::Express(can) => {
            let flr = if can.has_flr() { ", function level reset" } else { "" };
            format!("PCI Express, {}{flr}", express(can.port()))
        }
        CapabilityKind::Vendor => format!("vendor specific, {size} bytes"),
        CapabilityKind::Subsystem => "subsystem ids".to_owned(),
        CapabilityKind::Custom { id } => format!("capability {id:#04x}, {size} bytes"),
        CapabilityKind::Serial(number) => format!("serial number {number:#018x}"),
        CapabilityKind::Vsec { id, revision } => {
            format!("vendor specific {id:#06x} revision {revision}, {size} bytes")
        }
        CapabilityKind::Dvsec { vendor, id, revision } => {
            format!("vendor specific {id:#06x} of {vendor:04x} revision {revision}, {size} bytes")
        }
        CapabilityKind::Aer => "advanced error reporting".to_owned(),
        CapabilityKind::Ltr => "latency tolerance reporting".to_owned(),
        CapabilityKind::Extended { id, version } => {
            format!("extended capability {id:#06x} version {version}, {size} bytes")
        }
    }
}

fn express(port: ExpressPort) -> &'static str {
    match port {
        ExpressPort::Endpoint => "endpoint",
        ExpressPort::Legacy => "legacy endpoint",
        ExpressPort::Integrated => "root complex integrated endpoint",
    }
}
