//! C03, and what fits in the headers of capabilities. Their places depend on all of them, so those
//! are left to constant evaluation.

use super::rule;
use crate::ast::Device;
use crate::attr::{Capability, Given, Int, Port, Syntax as _};
use crate::ctxt::Ctxt;
use crate::layout::{self, CapabilityName, LayoutError};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for (capability, _) in device.capabilities() {
        needs(cx, device, capability);
        power_states(cx, capability);
        numbers(cx, capability);
        link(cx, capability);
    }
}

/// Checks the other properties that the function needs.
fn needs(cx: &Ctxt, device: &Device<'_>, Capability { key, kind, .. }: &Capability) {
    let name = kind.name();
    if kind.is_extended() {
        rule(cx, key, layout::extended_allowed(name, device.is_express()));
    }
    let has_vectors = match kind {
        CapabilityName::Msi => device.irq().is_some_and(|irq| irq.msi.is_some()),
        CapabilityName::Msix => device.irq().is_some_and(|irq| irq.msix.is_some()),
        _ => true,
    };
    if !has_vectors {
        cx.error(key, LayoutError::CapabilityWithoutIrq { capability: name });
    }
}

/// Power management events come from states that exist.
fn power_states(cx: &Ctxt, Capability { flags, wakes_from, .. }: &Capability) {
    let Some(wakes_from) = wakes_from else { return };
    for state in wakes_from.value.iter().filter(|state| *state == "d1" || *state == "d2") {
        if !flags.contains(state) {
            let name = state.to_string();
            cx.error(state, LayoutError::WakesFromNowhere { state: &name });
        }
    }
}

fn numbers(cx: &Ctxt, capability: &Capability) {
    let fits = |given: &Option<Given<Int>>, what, bits| {
        if let Some(Given { value, .. }) = given
            && let Some(known) = value.known
        {
            rule(cx, value, layout::id(what, known, bits));
        }
    };
    let id_bits = if capability.kind == CapabilityName::Custom { 8 } else { 16 };
    fits(&capability.vendor, "DVSEC vendor id", 16);
    fits(&capability.id, capability.kind.id_name(), id_bits);
    fits(&capability.version, capability.kind.version_name(), 4);
}

/// C06: links exist, and have speeds, lanes and payloads as specified.
fn link(cx: &Ctxt, capability: &Capability) {
    let is_integrated = matches!(capability.port, Some(Given { value: Port::Integrated, .. }));
    for (name, Given { key, value }) in capability.numbers() {
        if name != "payload" && !rule(cx, key, layout::link_exists(name, is_integrated)) {
            continue;
        }
        let Some(known) = value.known else { continue };
        let check = match name {
            "speed" => layout::link_speed,
            "width" => layout::link_width,
            _ => layout::max_payload,
        };
        rule(cx, value, check(known));
    }
}
