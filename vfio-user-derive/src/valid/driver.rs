//! Validates a driver: its name, and those of its methods.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use crate::ast::{Device, Register};
use crate::attr::{DriverUse, Given};
use crate::ctxt::Ctxt;
use crate::driver::{Access, OF_DEVICES};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    let Some(driver) = device.driver() else { return without(cx, device) };
    if driver.unraw() == device.ident.unraw() {
        let message = format!("`{driver}` is the struct itself; its driver needs another name");
        cx.error(driver, message);
    }
    for register in &device.registers {
        use_fits(cx, register);
    }
    methods_are_apart(cx, device);
}

/// What only a driver needs.
fn without(cx: &Ctxt, device: &Device<'_>) {
    let attribute = if device.block.is_some() { "block" } else { "pci" };
    let registers = device.registers.iter().filter_map(|register| register.reg.driver.as_ref());
    let blocks = device.blocks.iter().filter_map(|field| field.block.driver.as_ref());
    for Given { key, .. } in registers.chain(blocks) {
        let message = format!("there is no driver: `#[{attribute}(driver = ..)]` names one");
        cx.error(key, message);
    }
}

/// How a driver reads a register does not contradict the policy.
fn use_fits(cx: &Ctxt, register: &Register<'_>) {
    let Some(given) = &register.reg.driver else { return };
    let (name, policy) = (&register.name, register.reg.policy());
    let policy_name = policy.name();
    if given.value == DriverUse::Skip {
        return;
    }
    if !policy.is_readable() {
        let message = format!("`{name}` is `{policy_name}`: a driver does not read it");
        cx.error(&given.key, message);
    } else if register.reg.behaviour.port.is_some() {
        let message = format!("`{name}` is a port: a driver has `pop_{name}` for it");
        cx.error(&given.key, message);
    } else if given.value == DriverUse::Get && policy.is_changed_by_reads() {
        let message =
            format!("`{name}` is `{policy_name}`: a read changes it, so it is `take_{name}`");
        cx.error(&given.key, message);
    }
}

/// R09: each method is that of one field.
fn methods_are_apart(cx: &Ctxt, device: &Device<'_>) {
    let registers = device.driven().flat_map(|(_, register)| {
        let methods = register.methods().into_iter();
        methods.map(move |method| (method.name, register.field, what(method.access)))
    });
    let blocks = device.driven_blocks();
    let blocks = blocks.map(|(_, field)| (field.field.clone(), field.field, "leads to"));
    let mut taken = HashMap::<String, (&Ident, &str)>::new();
    for (method, field, what) in registers.chain(blocks) {
        let name = method.unraw().to_string();
        if device.block.is_none() && OF_DEVICES.contains(&name.as_str()) {
            let message = format!(
                "every driver has a method `{name}`; rename `{field}`, or leave it out of the \
                 driver: `driver = skip`"
            );
            cx.error(field, message);
        } else if let Some((first, does)) = taken.get(&name) {
            let message = format!(
                "`{name}` of the driver {does} `{first}`, and {what} `{field}`; rename one, or \
                 leave it out of the driver: `driver = skip`"
            );
            cx.error(field, message);
        } else {
            taken.insert(name, (field, what));
        }
    }
}

fn what(access: Access) -> &'static str {
    match access {
        Access::Read | Access::Take => "reads",
        Access::Write | Access::WriteInverted | Access::WriteAny => "writes",
        Access::Update => "updates",
    }
}
