//! Descriptions of capabilities.

use crate::model::{
    Capability, CapabilityKind, Descriptor, Express, ExpressPort, PowerManagement, PowerStates,
};

/// Returns the offset and the description of each capability, by offset.
pub(super) fn all(descriptor: &Descriptor) -> Vec<(u64, String)> {
    let mut all: Vec<_> = (0..descriptor.capability_count())
        .map(|index| {
            let listed = descriptor.capability(index);
            let (start, end) = descriptor.capability_span(index);
            (start, words(listed.capability, end - start))
        })
        .collect();
    all.sort_by_key(|(offset, _)| *offset);
    all
}

fn words(capability: &Capability, size: u64) -> String {
    match capability.kind() {
        CapabilityKind::Pm(power) => power_management(power),
        CapabilityKind::Vpd => "vital product data".to_owned(),
        CapabilityKind::Msi(msi) => {
            let short = if msi.is_64_bit() { "" } else { ", 32-bit addresses" };
            let maskable = if msi.is_maskable() { ", maskable" } else { "" };
            format!("MSI{short}{maskable}")
        }
        CapabilityKind::Msix => "MSI-X".to_owned(),
        CapabilityKind::Express(can) => express(can),
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

/// Mentions only properties that not every function has.
fn power_management(power: PowerManagement) -> String {
    let wakes = power.wakes_from().iter_names().map(|(name, _)| name.replace("_HOT", "hot"));
    let wakes: Vec<_> = wakes.map(|name| name.replace("_COLD", "cold")).collect();
    let facts = [
        Some("power management".to_owned()),
        power.states().contains(PowerStates::D1).then(|| "D1".to_owned()),
        power.states().contains(PowerStates::D2).then(|| "D2".to_owned()),
        (!power.is_reset_from_d3hot()).then(|| "no soft reset".to_owned()),
        (!wakes.is_empty()).then(|| format!("wakes from {}", wakes.join(" "))),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Mentions only properties that not every function has.
fn express(can: Express) -> String {
    let port = match can.port() {
        ExpressPort::Endpoint => "endpoint",
        ExpressPort::Legacy => "legacy endpoint",
        ExpressPort::Integrated => "root complex integrated endpoint",
    };
    let link = can.link().filter(|link| *link != (1, 1));
    let facts = [
        Some(format!("PCI Express, {port}")),
        link.map(|(speed, width)| format!("x{width} of generation {speed}")),
        (can.payload() > 128).then(|| format!("payloads of {} bytes", can.payload())),
        can.has_extended_tags().then(|| "extended tags".to_owned()),
        can.has_flr().then(|| "function level reset".to_owned()),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
