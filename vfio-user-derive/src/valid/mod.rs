//! The rules that the macro can decide: one rule, one `if`, one message. Rules about values are
//! those of [`layout`](crate::layout), applied to literals; what needs a constant is left to
//! constant evaluation (`expand::checks`).

mod bar;
mod behaviour;
mod block;
mod capability;
mod doorbell;
mod driver;
mod growth;
mod interrupt;
mod intr;
mod memory;
mod migrate;
pub(crate) mod mirror;
mod name;
mod order;
mod parameter;
mod port;
mod register;
pub(crate) mod sharing;
pub(crate) mod state_type;
mod target;
mod unmodelled;
mod watch;
pub(crate) mod window;

use quote::ToTokens;
use syn::DeriveInput;

use crate::ast::Device;
use crate::attr::{Int, Pci};
use crate::ctxt::Ctxt;
use crate::layout::{self, Check};

pub(crate) use block::validate_block;
pub(crate) use migrate::is_byte_vec;
pub(crate) use name::field as field_name;

pub(crate) fn validate(cx: &Ctxt, input: &DeriveInput, device: &Device<'_>) {
    not_packed(cx, input, "a device");
    lifetimes(cx, input);
    one_kind(cx, input, "pci");
    parameter::validate(cx, input, device);
    name::validate(cx, device);
    match &device.attrs.pci {
        Some(pci) => {
            ids(cx, pci);
            latencies(cx, pci, device.is_express());
        }
        None => cx.error(
            device.ident,
            format_args!("device `{}` needs `#[pci(vendor = .., device = ..)]`", device.ident),
        ),
    }
    bar::validate(cx, device);
    capability::validate(cx, device);
    register::validate(cx, device);
    block::validate(cx, device);
    memory::validate(cx, device);
    unmodelled::validate(cx, device);
    intr::validate(cx, device);
    interrupt::validate(cx, device);
    migrate::validate(cx, device);
    driver::validate(cx, device);
}

/// Reports a broken rule at the value that breaks it.
pub(crate) fn rule(cx: &Ctxt, at: impl ToTokens, check: Check<'_>) -> bool {
    if let Err(error) = check {
        cx.error(at, error);
        return false;
    }
    true
}

/// U05: fields are borrowed, which a packed struct does not allow.
pub(crate) fn not_packed(cx: &Ctxt, input: &DeriveInput, what: &str) {
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        let is_packed = attr.meta.to_token_stream().to_string().contains("packed");
        if is_packed {
            cx.error(&input.ident, format_args!("{what} cannot be `repr(packed)`"));
        }
    }
}

/// U05: a struct is a device, a block or a register; it has the `own` attribute of one of them.
pub(crate) fn one_kind(cx: &Ctxt, input: &DeriveInput, own: &str) {
    let kinds = [("pci", "a device"), ("block", "a block"), ("register", "a register")];
    for (name, what) in kinds.iter().filter(|(name, _)| *name != own) {
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident(name)) {
            let own = kinds.iter().find(|(name, _)| *name == own).map_or("", |(_, what)| what);
            // A device reports an attribute that belongs on its fields itself.
            if own != "a device" || *name != "block" {
                let message = format!(
                    "`#[{name}]` is for {what}, but this derive makes {own}; a struct is one"
                );
                cx.error(attr.path(), message);
            }
        }
    }
}

/// U05: a device outlives the function that constructs it.
fn lifetimes(cx: &Ctxt, input: &DeriveInput) {
    for param in input.generics.lifetimes() {
        let lifetime = &param.lifetime;
        cx.error(
            lifetime,
            format_args!("a device owns what it holds; it cannot borrow for `{lifetime}`"),
        );
    }
}

/// P10: ids fit in their registers of configuration space.
fn ids(cx: &Ctxt, pci: &Pci) {
    let check = |int: &Int, rule_of: &dyn Fn(u64) -> Check<'static>| {
        if let Some(value) = int.known {
            rule(cx, int, rule_of(value));
        }
    };
    check(&pci.vendor, &layout::vendor);
    check(&pci.device, &|value| layout::id("device id", value, 16));
    if let Some(class) = &pci.class {
        check(&class.value, &layout::class);
    }
    if let Some(revision) = &pci.revision {
        check(&revision.value, &|value| layout::id("revision", value, 8));
    }
    if let Some(subsystem) = &pci.subsystem {
        let (vendor, device) = &subsystem.value;
        check(vendor, &|value| layout::id("subsystem vendor id", value, 16));
        check(device, &|value| layout::id("subsystem id", value, 16));
    }
}

/// P11: latencies fit in their registers, which PCI Express functions lack.
fn latencies(cx: &Ctxt, pci: &Pci, is_express: bool) {
    for (name, given) in pci.latencies() {
        if rule(cx, &given.key, layout::on_parallel_bus(name, is_express))
            && let Some(value) = given.value.known
        {
            rule(cx, &given.value, layout::id(name, value, 8));
        }
    }
}
