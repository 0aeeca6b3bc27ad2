//! Composed interrupts: I01 to I03, X07.

use proc_macro2::Ident;

use super::rule;
use crate::ast::{Device, Register};
use crate::attr::ComposedInterrupt;
use crate::ctxt::Ctxt;
use crate::layout::{self, HookKind};
use crate::policy::{OnRead, OnWrite, Policy};
use crate::suggest;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for (_, status, intr) in device.intrs() {
        match status.reg.hooks.get(HookKind::StatusWith) {
            Some(hook) => computed(cx, status, intr, &hook.key),
            None => alone(cx, status, &intr.at),
        }
        for other in intr.others() {
            self::other(cx, device, status, intr, other);
        }
        trigger(cx, status, intr);
        written(cx, device, intr);
        vector(cx, device, status, intr);
    }
}

/// The bits of a computed status have the type of the register that enables them.
fn computed(cx: &Ctxt, register: &Register<'_>, intr: &ComposedInterrupt, key: &Ident) {
    if register.ty.length.is_some() {
        single(cx, register, &intr.at);
    }
    if intr.enable.is_none() {
        let message = "`status_with` returns bits of the register that enables them: add \
                       `enable = ..`";
        cx.error(key, message);
    }
    for given in [&intr.test, &intr.clear].into_iter().flatten() {
        let key = &given.key;
        cx.error(key, format_args!("`{key}` changes a stored status; `status_with` computes it"));
    }
}

fn single(cx: &Ctxt, register: &Register<'_>, at: &Ident) {
    let name = &register.name;
    cx.error(at, format_args!("`{name}` is an array; an interrupt has single registers"));
}

/// An interrupt is composed from values that the runtime finds stored, one a register.
fn alone(cx: &Ctxt, register: &Register<'_>, at: &Ident) {
    let name = &register.name;
    if register.ty.length.is_some() {
        single(cx, register, at);
    } else if !register.ty.is_stored {
        cx.error(at, format_args!("register `{name}` has no storage, so none of its bits is set"));
    }
}

/// I01: the registers that an interrupt names exist, and are as wide as its status.
fn other(
    cx: &Ctxt,
    device: &Device<'_>,
    status: &Register<'_>,
    intr: &ComposedInterrupt,
    name: &Ident,
) {
    let Some((_, other)) = device.register(name) else {
        let names: Vec<_> =
            device.registers.iter().map(|register| register.name.as_str()).collect();
        let hint = suggest::closest(&name.to_string(), &names)
            .map(|word| format!("; did you mean `{word}`?"))
            .unwrap_or_default();
        let whole = if device.block.is_some() { "block" } else { "device" };
        let message = match device.other_field(name) {
            Some(what) => format!("`{name}` is {what}, not a register of this {whole}"),
            None => format!("register `{name}` does not exist in this {whole}{hint}"),
        };
        cx.error(name, message);
        return;
    };
    if std::ptr::eq(other, status) {
        cx.error(name, format_args!("`{name}` is the status itself"));
    }
    let bits = device.register_of_bits(status, intr);
    if let (Some(width), Some(status_width)) = (other.ty.width(), bits.ty.width())
        && !std::ptr::eq(other, status)
    {
        rule(cx, name, layout::intr_width(&other.name, width, &bits.name, status_width));
    }
    if !intr.written().any(|written| written == name) {
        alone(cx, other, name);
    }
}

/// I02, if the whole status has one policy: either software or the device can clear its bits.
fn trigger(cx: &Ctxt, status: &Register<'_>, intr: &ComposedInterrupt) {
    if status.ty.width().is_none() || status.reg.hooks.has(HookKind::StatusWith) {
        return;
    }
    let (name, policy) = (&status.name, status.reg.policy());
    let check = if intr.is_level() {
        layout::intr_level(name, policy.is_writable().into())
    } else {
        let is_handled = status.reg.hooks.has(HookKind::WriteWith) || intr.clear.is_some();
        layout::intr_event(name, is_handled || clears(policy))
    };
    rule(cx, intr.trigger.as_ref().map_or(&intr.at, |given| &given.value), check);
}

fn clears(policy: Policy) -> bool {
    let by_write =
        matches!(policy.on_write(), OnWrite::ClearAll | OnWrite::OnesClear | OnWrite::ZerosClear);
    by_write || policy.on_read() == OnRead::ValueThenClear
}

/// Software writes test and clear registers.
fn written(cx: &Ctxt, device: &Device<'_>, intr: &ComposedInterrupt) {
    for (what, given) in [("test", &intr.test), ("clear", &intr.clear)] {
        if let Some(given) = given
            && let Some((_, register)) = device.register(&given.value)
        {
            let name = &register.name;
            if !register.reg.policy().is_writable() {
                cx.error(&given.value, format_args!("{what} register `{name}` must be writable"));
            } else if register.reg.behaviour.port.is_some() {
                let message = format!("{what} register `{name}` is a port, which has no bits");
                cx.error(&given.value, message);
            }
        }
    }
}

/// I03, X07: the device has the interrupt. The device declares the number of a block's interrupt.
fn vector(cx: &Ctxt, device: &Device<'_>, status: &Register<'_>, intr: &ComposedInterrupt) {
    if device.block.is_some() {
        return;
    }
    let Some(irq) = device.irq().filter(|irq| irq.has_any()) else {
        let _ = rule(cx, &intr.at, layout::intr_vector(&status.name, 0, 0));
        return;
    };
    if let (Some(vector), Some(sources)) = (&intr.vector, irq.known_sources())
        && let Some(known) = vector.value.known
    {
        rule(cx, &vector.value, layout::intr_vector(&status.name, known, sources));
    }
}
