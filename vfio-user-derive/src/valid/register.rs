//! Registers: type (R07), place (R01 to R06), values (V01, V02), policy and hooks (A05, A08).

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::Type;

use super::{behaviour, doorbell, mirror, order, port, rule, sharing, watch, window};
use crate::ast::{Device, Register, last_ident, peel};
use crate::attr::{Bar, Bytes, Int};
use crate::ctxt::Ctxt;
use crate::layout::{self, Check, Extent, HookKind, Kind, LayoutError, Reach};
use crate::policy::{OnRead, OnWrite, Policy};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    let crowded = crowded(device);
    for (register_index, register) in device.registers.iter().enumerate() {
        element_type(cx, device, register);
        stride(cx, register);
        bar(cx, device, register);
        if let Some(extent) = register.extent()
            && lies_well(cx, device, register, &extent)
        {
            let earlier = crowded[..=register_index].split_last();
            if let Some((true, earlier)) = earlier {
                overlap(cx, device, register, &extent, earlier);
            }
            sharing::alone(cx, device, register, crowded[register_index]);
            parts(cx, device, register, &extent);
        }
        values(cx, register);
        policy(cx, register);
        behaviour::validate(cx, device, register);
        sharing::validate(cx, device, register);
        doorbell::validate(cx, device, register);
        watch::validate(cx, device, register);
        port::validate(cx, register);
        order::validate(cx, device, register);
        window::validate(cx, device, register);
    }
}

/// R07: what is certainly no register. Other names are left to `RegisterValue`.
fn element_type(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let element = register.ty.element;
    if device.is_parameter(element) {
        let message =
            format!("`{}` is a type parameter; a register has a fixed width", type_name(element));
        cx.error(element, message);
    } else if !register.ty.is_stored && matches!(peel(element), Type::Array(_)) {
        cx.error(register.ty.written, "an array of registers is written `[Virtual<T>; N]`");
    } else if is_wrong(element) {
        let message =
            format!("`{}` cannot be a register; use u8, u16, u32 or u64", type_name(element));
        cx.error(element, message);
    }
}

fn is_wrong(ty: &Type) -> bool {
    const WRONG: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u128",
        "usize", "String",
    ];
    match peel(ty) {
        Type::Path(_) => last_ident(ty).is_some_and(|ident| WRONG.contains(&&*ident.to_string())),
        Type::Macro(_) => false,
        _ => true,
    }
}

fn type_name(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace("& ", "&")
}

/// R04, for what has no elements.
fn stride(cx: &Ctxt, register: &Register<'_>) {
    if let (Some(stride), None) = (&register.reg.stride, &register.ty.length) {
        let message = format!("`stride` needs an array; `{}` is a single register", register.name);
        cx.error(&stride.value, message);
    }
}

/// A register lies in a BAR that was declared.
fn bar(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let in_config = device.bar_of(register) == Some(layout::CONFIG);
    if device.attrs.bars_incomplete || device.block.is_some() || in_config {
        return;
    }
    let name = &register.name;
    if device.attrs.bars.is_empty() && register.reg.bar.is_none() {
        cx.error(
            register.field,
            format_args!(
                "register `{name}` has no BAR to lie in; add `#[bar(0: mem32, size = ..)]`"
            ),
        );
        return;
    }
    if let Some(bar) = device.bar_of(register)
        && device.bar(bar).is_none()
    {
        let error = LayoutError::MissingBar { kind: Kind::Register, register: name, bar };
        match &register.reg.bar {
            Some(bar) => cx.error(&bar.value.expr, error),
            None => cx.error(
                register.field,
                format_args!(
                    "register `{name}` needs `bar = ..`: there is no BAR 0, but several others"
                ),
            ),
        }
    }
    mirror::holds_nothing(cx, device, (Kind::Register, register.field), register.reg.bar.as_ref());
}

/// R02 to R05: alone in its BAR, the register is where it can be.
fn lies_well(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, extent: &Extent<'_>) -> bool {
    let reg = &register.reg;
    let spaced = match (&reg.stride, &register.ty.length) {
        (_, Some(length)) if extent.count == 0 => rule(cx, length, layout::spaced(extent)),
        (Some(stride), _) => rule(cx, &stride.value, layout::spaced(extent)),
        (None, _) => true,
    };
    let aligned = rule(cx, &reg.offset, layout::aligned(extent));
    let size = device.bar_of(register).and_then(|index| {
        // A BAR of no bytes is the mistake.
        let size = device.bar(index)?.size.known.filter(|size| *size != 0)?;
        Some((index, size))
    });
    let inside = match (size, &register.ty.length) {
        (Some((bar, size)), Some(length)) if extent.count > 1 => {
            rule(cx, length, layout::inside(extent, bar, size))
        }
        (Some((bar, size)), _) => rule(cx, &reg.offset, layout::inside(extent, bar, size)),
        (None, _) => true,
    };
    spaced && aligned && inside
}

/// The registers that share bytes with another one, or lie between the elements of one: only they
/// are compared with each other.
fn crowded(device: &Device<'_>) -> Vec<bool> {
    let registers = device.registers.iter().enumerate();
    let known = registers.filter_map(|(register_index, register)| {
        let bar = device.bar_of(register)?;
        Some(Reach::new(bar, &register.extent()?, register_index))
    });
    let mut reaches: Vec<_> = known.collect();
    let mut crowded = vec![false; device.registers.len()];
    layout::mark_crowded(&mut reaches, &mut crowded);
    crowded
}

/// R01, R06: the later of two registers is the wrong one. `crowded` are those of the earlier ones
/// that may be in its way.
fn overlap(
    cx: &Ctxt,
    device: &Device<'_>,
    register: &Register<'_>,
    extent: &Extent<'_>,
    crowded: &[bool],
) {
    if !sharing::is_resolved(device, register) {
        return;
    }
    let bar = device.bar_of(register);
    let earlier = device.registers.iter().zip(crowded).filter(|(_, crowded)| **crowded);
    let earlier = earlier.map(|(other, _)| other).filter(|other| device.bar_of(other) == bar);
    for earlier in earlier.filter(|other| sharing::is_resolved(device, other)) {
        let Some(other) = earlier.extent() else { continue };
        let report = |check: Check<'_>| rule(cx, &register.reg.offset, check);
        if !sharing::apart((register, extent), (earlier, &other), report) {
            let message = format!("register `{}` is placed here", earlier.name);
            cx.error(&earlier.reg.offset, message);
            return;
        }
    }
}

/// A12: what clients map, or the author serves, bypasses the register.
fn parts(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, extent: &Extent<'_>) {
    let Some(index) = device.bar_of(register) else { return };
    if let Some(bar) = device.bar(index)
        && register.reg.behaviour.watch.is_none()
    {
        apart_from_parts(cx, &register.reg.offset, bar, index, extent);
    }
}

/// Reports, `at` what lies where clients map memory, or where the author serves the BAR.
pub(super) fn apart_from_parts(
    cx: &Ctxt,
    at: &Int,
    bar: &Bar,
    index: u8,
    extent: &Extent<'_>,
) -> bool {
    if !apart_from_shared(cx, at, bar, index, extent) {
        return false;
    }
    let is_in = |range: &&Bytes| {
        let range = range.known().unwrap_or((0, 0));
        layout::outside_raw(extent, index, range).is_err()
    };
    let Some(raw) = bar.raw_ranges().iter().find(is_in) else { return true };
    rule(cx, at, layout::outside_raw(extent, index, raw.known().unwrap_or((0, 0))));
    cx.error(&raw.range, format_args!("BAR {index} is raw here"));
    false
}

/// Reports, `at` what lies where clients map memory, if it does.
fn apart_from_shared(cx: &Ctxt, at: &Int, bar: &Bar, index: u8, extent: &Extent<'_>) -> bool {
    let areas = bar.known_shared_areas().unwrap_or_default();
    let hit = areas.iter().position(|area| layout::unshared(extent, index, *area).is_err());
    let (Some(hit), Some(shared)) = (hit, &bar.shared) else { return true };
    rule(cx, at, layout::unshared(extent, index, areas[hit]));
    let message = format!("BAR {index} is shared here");
    match shared.value.0.get(hit) {
        Some(area) => cx.error(&area.range, message),
        None => cx.error(&shared.key, message),
    }
    false
}

/// V01, V02, and the masks that they rest on.
fn values(cx: &Ctxt, register: &Register<'_>) {
    let (name, reg) = (&register.name, &register.reg);
    let Some(width) = register.ty.width() else { return };
    let mut mask = Some(layout::width_mask(width));
    if let Some(given) = &reg.mask {
        mask = given.value.known;
        if let Some(known) = mask
            && !rule(cx, &given.value, layout::masks(name, width, known, known))
        {
            return;
        }
    }
    let Some(mask) = mask else { return };
    if let Some(writable) = &reg.writable
        && let Some(known) = writable.value.known
    {
        rule(cx, &writable.value, layout::masks(name, width, mask, known));
    }
    if let Some(reset) = &reg.reset
        && let Some(known) = reset.value.known
    {
        rule(cx, &reset.value, layout::reset(name, width, known, mask));
    }
}

/// A05, A08: what the policy and the hooks say of each other.
fn policy(cx: &Ctxt, register: &Register<'_>) {
    let (name, hooks, policy) = (&register.name, &register.reg.hooks, register.reg.policy());
    let never_called = |key: &syn::Ident, at: TokenStream, access: &str| {
        cx.error(at, format_args!("{key} hook on {access} register `{name}` is never called"));
    };
    if !policy.is_writable() {
        for (_, hook) in hooks.iter().filter(|(kind, _)| kind.is_of_writes()) {
            never_called(&hook.key, hook.value.to_token_stream(), "read-only");
        }
        if let Some(writable) = &register.reg.writable {
            cx.error(
                &writable.value,
                format_args!("read-only register `{name}` has no writable bits; drop one"),
            );
        }
    }
    if !policy.is_readable() {
        for (_, hook) in hooks.iter().filter(|(kind, _)| kind.is_of_reads()) {
            never_called(&hook.key, hook.value.to_token_stream(), "write-only");
        }
    }
    effect(cx, register);
}

/// A05: what changes a stored value needs one.
fn effect(cx: &Ctxt, register: &Register<'_>) {
    let (name, hooks) = (&register.name, &register.reg.hooks);
    if register.reg.behaviour.port.is_some() {
        return;
    }
    let Some(given) = &register.reg.policy else { return };
    let Some((effect, is_of_reads)) = effect_on_storage(given.value) else { return };
    let key = &given.key;
    if hooks.has(HookKind::ReadWith) {
        cx.error(
            key,
            format_args!(
                "register `{name}` is computed by `read_with`, so `{key}` has nothing to \
                 {effect}; drop one"
            ),
        );
    } else if !register.ty.is_stored && (!hooks.has(HookKind::WriteWith) || is_of_reads) {
        cx.error(
            key,
            format_args!("register `{name}` has no storage, so `{key}` has nothing to {effect}"),
        );
    }
}

/// What a policy does to a stored value besides replacing it, and whether a read does it.
fn effect_on_storage(policy: Policy) -> Option<(&'static str, bool)> {
    match policy.on_read() {
        OnRead::ValueThenClear => return Some(("clear", true)),
        OnRead::ValueThenSet => return Some(("set", true)),
        OnRead::Hidden | OnRead::Value => {}
    }
    let effect = match policy.on_write() {
        OnWrite::ClearAll | OnWrite::OnesClear | OnWrite::ZerosClear => "clear",
        OnWrite::SetAll | OnWrite::OnesSet | OnWrite::ZerosSet => "set",
        OnWrite::OnesToggle | OnWrite::ZerosToggle => "toggle",
        OnWrite::StoreOnce => "keep",
        OnWrite::Nothing | OnWrite::Store => return None,
    };
    Some((effect, false))
}
