//! Generates capabilities as data, and the rules that constant evaluation checks.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::Expr;

use super::tokens::{elements, enforce, int, register_block, without_self};
use crate::ast::{BlockField, Device};
use crate::attr::{Capability, Given, Int, Port, Value};
use crate::layout::CapabilityName;

/// The capabilities, `.capabilities(..)`, and what else that needs: where blocks lie follows from
/// them.
pub(super) fn declarations(device: &Device<'_>) -> (Option<TokenStream>, Option<TokenStream>) {
    let capabilities = device.capabilities();
    let all: Vec<_> =
        capabilities.map(|(capability, block)| declaration(device, capability, block)).collect();
    if all.is_empty() {
        return (None, None);
    }
    if device.capabilities().all(|(_, block)| block.is_none()) {
        return (None, Some(quote!(.with_capabilities(&[#(#all),*]))));
    }
    let items = quote! {
        const __CAPABILITIES: &[__vfio_user::Capability] = &[#(#all),*];
        const __PLACED: &__vfio_user::Descriptor =
            &__vfio_user::PLACEHOLDER.with_capabilities(__CAPABILITIES);
    };
    (Some(items), Some(quote!(.with_capabilities(__CAPABILITIES))))
}

/// Returns where the block in a capability lies.
pub(super) fn body(device: &Device<'_>, field: &BlockField<'_>) -> Option<TokenStream> {
    let is_of =
        |block: Option<&BlockField<'_>>| block.is_some_and(|block| std::ptr::eq(block, field));
    let index = device.capabilities().position(|(_, block)| is_of(block))?;
    let index = Literal::usize_unsuffixed(index);
    Some(quote!(__vfio_user::capability_body(__PLACED, #index)))
}

fn declaration(
    device: &Device<'_>,
    capability: &Capability,
    block: Option<&BlockField<'_>>,
) -> TokenStream {
    let new = constructor(device, capability);
    let writable = capability.writable.as_ref().map(|given| {
        let mask = expr(device, &given.value);
        quote!(.with_writable(#mask))
    });
    let at = capability.at.as_ref().map(|given| {
        let at = int(device, &given.value);
        quote!(.with_offset(#at))
    });
    let is_whole = capability.is_whole();
    let capability = quote!(__vfio_user::Capability::#new #writable #at);
    let Some(field) = block else { return capability };
    let (implementation, count) = (register_block(field), count(device, field));
    let contents = quote!(#implementation::REGISTERS, #implementation::BLOCKS);
    let holding = quote!(__vfio_user::capability_of_blocks(#capability, #contents, #count));
    if is_whole { quote!(__vfio_user::whole_capability(#holding)) } else { holding }
}

fn count(device: &Device<'_>, field: &BlockField<'_>) -> TokenStream {
    match &field.length {
        None => quote!(1),
        Some(length) => elements(device, length),
    }
}

fn constructor(device: &Device<'_>, capability: &Capability) -> TokenStream {
    let value = match &capability.value {
        Some(Value::Bytes(bytes)) => expr(device, bytes),
        Some(Value::Number(number)) => int(device, number),
        // A block takes the place of the bytes.
        None => quote!(&[]),
    };
    // Numbers have the types of their fields, so a constant of another type is an error at its
    // place.
    let number = |given: &Option<Given<Int>>, default: u8| match given {
        Some(given) => expr(device, &given.value.expr),
        None => Literal::u8_unsuffixed(default).into_token_stream(),
    };
    let (vendor, id) = (number(&capability.vendor, 0), number(&capability.id, 0));
    match capability.kind {
        CapabilityName::Pm if !capability.is_plain() => {
            let options = options(capability);
            let wakes_from = wakes_from(capability);
            quote!(pm_with(__vfio_user::PowerManagement::new() #options #wakes_from))
        }
        CapabilityName::Msi if !capability.is_plain() => {
            let options = options(capability);
            quote!(msi_with(__vfio_user::Msi::new() #options))
        }
        CapabilityName::Express => {
            let port = port(capability.port.as_ref().map(|given| given.value));
            let port = quote!(__vfio_user::ExpressPort::#port);
            if capability.is_plain() {
                return quote!(express(#port));
            }
            let options = options(capability);
            let numbers = capability.numbers().map(|(name, given)| {
                let (with, value) = (format_ident!("with_{name}"), expr(device, &given.value.expr));
                quote!(.#with(#value))
            });
            quote!(express_with(__vfio_user::Express::new(#port) #options #(#numbers)*))
        }
        CapabilityName::Vpd => quote!(vpd(#value)),
        CapabilityName::Serial => quote!(serial(#value)),
        CapabilityName::Vendor => quote!(vendor(#value)),
        CapabilityName::Custom => quote!(custom(#id, #value)),
        CapabilityName::Vsec => {
            let revision = number(&capability.version, 0);
            quote!(vsec(#id, #revision, #value))
        }
        CapabilityName::Dvsec => {
            let revision = number(&capability.version, 0);
            quote!(dvsec(#vendor, #id, #revision, #value))
        }
        CapabilityName::Extended => {
            let version = number(&capability.version, 1);
            quote!(extended(#id, #version, #value))
        }
        plain => {
            let name = format_ident!("{}", plain.name());
            quote!(#name())
        }
    }
}

/// Generates the flags: each has a method, `with_` and its name.
fn options(capability: &Capability) -> TokenStream {
    let flags = capability.flags.iter().map(|flag| format_ident!("with_{flag}"));
    quote!(#(.#flags())*)
}

/// Generates `.with_wakes_from(..)` with all declared power states.
fn wakes_from(capability: &Capability) -> Option<TokenStream> {
    let states = capability.wakes_from.as_ref()?.value.iter().map(|state| {
        let name = match state.to_string().as_str() {
            "d3hot" => "D3_HOT".to_owned(),
            "d3cold" => "D3_COLD".to_owned(),
            state => state.to_uppercase(),
        };
        let name = format_ident!("{name}");
        quote!(__vfio_user::PowerStates::#name)
    });
    let all = states.reduce(|all, state| quote!(#all.union(#state)))?;
    Some(quote!(.with_wakes_from(#all)))
}

fn port(port: Option<Port>) -> TokenStream {
    match port.unwrap_or_default() {
        Port::Endpoint => quote!(Endpoint),
        Port::Integrated => quote!(Integrated),
        Port::Legacy => quote!(Legacy),
    }
}

fn expr(device: &Device<'_>, expr: &Expr) -> TokenStream {
    without_self(device.ident, expr.to_token_stream())
}

/// Generates checks of the places, and of values that depend on constants.
pub(super) fn checks(device: &Device<'_>) -> Vec<TokenStream> {
    let fit_anyhow = device.capabilities().all(|(capability, _)| capability.fits_anyhow());
    let mut checks = Vec::new();
    for (index, (capability, _)) in device.capabilities().enumerate() {
        let index = Literal::usize_unsuffixed(index);
        checks.extend(contents(capability, &index));
        if !fit_anyhow {
            let check = quote!(__vfio_user::check_capability_place(__CHECKED, #index));
            checks.push(match &capability.at {
                Some(at) => enforce(&at.value, check),
                None => enforce(&capability.key, check),
            });
        }
    }
    if !fit_anyhow {
        checks.extend(implied(device));
    }
    checks
}

fn contents(capability: &Capability, index: &Literal) -> Vec<TokenStream> {
    let Capability { kind, value, id, version, writable, .. } = capability;
    let mut checks = Vec::new();
    if let (CapabilityName::Vpd, Some(Value::Bytes(bytes))) = (kind, value) {
        checks
            .push(enforce(bytes, quote!(__vfio_user::check_capability_options(__CHECKED, #index))));
    }
    if let (Some(id), CapabilityName::Custom | CapabilityName::Extended) = (id, kind) {
        checks
            .push(enforce(&id.value, quote!(__vfio_user::check_capability_id(__CHECKED, #index))));
    }
    if let Some(Given { value, .. }) = version
        && value.known.is_none()
    {
        checks
            .push(enforce(value, quote!(__vfio_user::check_capability_version(__CHECKED, #index))));
    }
    for (name, given) in capability.numbers().filter(|(_, given)| given.value.known.is_none()) {
        let check = match name {
            "speed" => quote!(check_link_speed),
            "width" => quote!(check_link_width),
            _ => quote!(check_payload),
        };
        checks.push(enforce(&given.value, quote!(__vfio_user::#check(__CHECKED, #index))));
    }
    if let Some(writable) = writable {
        checks.push(enforce(
            &writable.value,
            quote!(__vfio_user::check_capability_mask(__CHECKED, #index)),
        ));
    }
    checks
}

/// MSI and MSI-X lie behind all others, unless they are placed.
fn implied(device: &Device<'_>) -> Vec<TokenStream> {
    let Some(irq) = device.irq() else { return Vec::new() };
    let capabilities = &device.attrs.capabilities;
    let given = [(CapabilityName::Msi, &irq.msi), (CapabilityName::Msix, &irq.msix)];
    let unnamed = given.into_iter().filter(|(kind, _)| !capabilities.has(*kind));
    let vectors = unnamed.filter_map(|(_, vectors)| vectors.as_ref());
    let checks = vectors.enumerate().map(|(behind, vectors)| {
        let index = Literal::usize_unsuffixed(device.capabilities().count() + behind);
        enforce(&vectors.key, quote!(__vfio_user::check_capability_place(__CHECKED, #index)))
    });
    checks.collect()
}
