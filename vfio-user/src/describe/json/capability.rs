//! Capabilities.

use serde::Serialize;

use super::Hex;
use crate::model::{
    CapabilityKind, Descriptor, Express, ExpressPort, PowerManagement, PowerStates,
};

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(super) struct Capability {
    name: &'static str,
    id: u16,
    extended: bool,
    offset: Hex,
    size: Hex,
    power_states: Vec<&'static str>,
    maskable: bool,
    port: Option<&'static str>,
    link: Option<Link>,
    payload: Option<u16>,
    extended_tags: bool,
    flr: bool,
    serial: Option<Hex>,
    vendor_specific: Option<VendorSpecific>,
}

#[derive(Serialize)]
struct Link {
    speed: u8,
    width: u8,
}

#[derive(Serialize)]
struct VendorSpecific {
    vendor: u16,
    id: u16,
    revision: u8,
}

/// Returns the capabilities by offset.
pub(super) fn all(descriptor: &Descriptor) -> Vec<Capability> {
    let indices = 0..descriptor.capability_count();
    let mut all: Vec<_> = indices.map(|index| Capability::of(descriptor, index)).collect();
    all.sort_by_key(|capability| capability.offset.0);
    all
}

impl Capability {
    fn of(descriptor: &Descriptor, index: usize) -> Self {
        let capability = descriptor.capability(index).capability;
        let (start, end) = descriptor.capability_span(index);
        let kind = capability.kind();
        let express = match kind {
            CapabilityKind::Express(can) => Some(can),
            _ => None,
        };
        Capability {
            name: capability.name(),
            id: capability.id(),
            extended: capability.is_extended(),
            offset: Hex(start),
            size: Hex(end - start),
            power_states: match kind {
                CapabilityKind::Pm(power) => power_states(power),
                _ => Vec::new(),
            },
            maskable: matches!(kind, CapabilityKind::Msi(msi) if msi.is_maskable()),
            flr: express.is_some_and(Express::has_flr),
            port: express.map(|can| match can.port() {
                ExpressPort::Endpoint => "endpoint",
                ExpressPort::Legacy => "legacy",
                ExpressPort::Integrated => "integrated",
            }),
            link: express.and_then(Express::link).map(|(speed, width)| Link { speed, width }),
            payload: express.map(Express::payload),
            extended_tags: express.is_some_and(Express::has_extended_tags),
            serial: match kind {
                CapabilityKind::Serial(number) => Some(Hex(number)),
                _ => None,
            },
            vendor_specific: match kind {
                CapabilityKind::Vsec { id, revision } => {
                    Some(VendorSpecific { vendor: descriptor.ids().vendor, id, revision })
                }
                CapabilityKind::Dvsec { vendor, id, revision } => {
                    Some(VendorSpecific { vendor, id, revision })
                }
                _ => None,
            },
        }
    }
}

fn power_states(power: PowerManagement) -> Vec<&'static str> {
    let names = [
        (PowerStates::D0, "d0"),
        (PowerStates::D1, "d1"),
        (PowerStates::D2, "d2"),
        (PowerStates::D3_HOT, "d3hot"),
    ];
    let has = |(state, name)| power.states().contains(state).then_some(name);
    names.into_iter().filter_map(has).collect()
}
