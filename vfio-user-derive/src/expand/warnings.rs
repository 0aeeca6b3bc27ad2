//! Warnings about declarations that are valid but mostly unintended. The only warning that a macro
//! can emit on stable is the use of a deprecated item.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::ast::{Device, Register};
use crate::attr::Bar;
use crate::layout::BarKind;

/// P07, P08, A04.
pub(super) fn expand(device: &Device<'_>) -> TokenStream {
    let is_native = device.attrs.capabilities.is_native_express();
    let bars = device.attrs.bars.iter().filter(|_| is_native).filter_map(bar);
    let named = named_by_others(device);
    let registers = device.registers.iter().filter_map(|register| unread(&named, register));
    bars.chain(registers).collect()
}

/// PCI Express Base Specification 6.0, 7.5.1.2.1: an endpoint has 64-bit prefetchable BARs, and
/// should do without I/O space.
fn bar(bar: &Bar) -> Option<TokenStream> {
    match (bar.kind, &bar.prefetchable) {
        (BarKind::Mem32, Some(prefetchable)) if !bar.allow.contains("prefetchable_mem32") => {
            Some(warning(
                "PREFETCHABLE_MEM32",
                prefetchable.span(),
                "prefetchable BARs of a PCI Express endpoint should be 64-bit: use `mem64`, or say \
                 `allow(prefetchable_mem32)`",
            ))
        }
        (BarKind::Io, _) if !bar.allow.contains("express_io") => Some(warning(
            "EXPRESS_IO",
            bar.kind_at.span(),
            "I/O BARs should be avoided on PCI Express: use memory, or say `allow(express_io)`",
        )),
        _ => None,
    }
}

/// Warns about a write-only register that no hook and no other register uses.
fn unread(named: &HashSet<&Ident>, register: &Register<'_>) -> Option<TokenStream> {
    let reg = &register.reg;
    let policy = reg.policy.as_ref().filter(|policy| !policy.value.is_readable())?;
    // Named bits may have policies of their own.
    let is_integer = register.ty.width().is_some();
    let is_seen = reg.hooks.iter().next().is_some() || named.contains(register.field);
    if !is_integer || is_seen || reg.allow.contains("unread") {
        return None;
    }
    let name = &register.name;
    let text = if register.ty.is_stored {
        format!(
            "write-only register `{name}` has no hook: what is written is stored, and cannot be read; \
             if the device looks at it, say `allow(unread)`"
        )
    } else {
        format!("write-only register `{name}` has no hook: what is written is lost")
    };
    Some(warning("UNREAD", policy.key.span(), &text))
}

/// The registers that are part of an interrupt, or that options of others name.
fn named_by_others<'d>(device: &'d Device<'_>) -> HashSet<&'d Ident> {
    let paths = device.paths().map(|path| &path.register);
    paths.chain(device.intrs().flat_map(|(_, _, intr)| intr.others())).collect()
}

/// `name` appears in the compiler's warning.
fn warning(name: &str, at: Span, text: &str) -> TokenStream {
    let name = Ident::new(name, at);
    quote! {
        const _: () = {
            #[deprecated(note = #text)]
            const #name: () = ();
            #name
        };
    }
}
