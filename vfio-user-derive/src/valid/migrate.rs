//! State that can migrate. M04, M06

use std::collections::{HashMap, HashSet};

use syn::{GenericArgument, LitStr, PathArguments, Type, TypePath};

use super::name::{LONGEST, OF_BLOCK, wire};
use super::{growth, state_type};
use crate::ast::{Device, last_ident, peel};
use crate::attr::FieldState;
use crate::ctxt::Ctxt;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    let state = &device.state;
    if let (Some(none), Some(raw)) = (&state.none, &state.raw) {
        cx.error(raw, format_args!("what does not migrate (`{none}`) has no stream"));
    }
    if let Some(given) = [&state.version, &state.min].into_iter().flatten().next() {
        let key = &given.key;
        if let Some(none) = &state.none {
            cx.error(key, format_args!("what does not migrate (`{none}`) has no `{key}`"));
        } else if let Some(raw) = &state.raw {
            cx.error(key, format_args!("a stream of the device's own (`{raw}`) has no `{key}`"));
        }
    }
    if let (Some(convert), Some(other)) =
        (&state.convert, [&state.none, &state.raw].into_iter().flatten().next())
    {
        cx.error(&convert.key, format_args!("with `{other}` there is no state to convert"));
    }
    for timer in &device.timers {
        old_names(cx, &timer.state, LONGEST);
    }
    if let (Some(none), Some(name)) = (&state.none, state.removed.first()) {
        cx.error(name, format_args!("what does not migrate (`{none}`) has nothing to remove"));
    }
    if let Some(min) = &state.min
        && device.migrates()
        && state.min() > state.version()
    {
        let message =
            format!("`min` is {}, but the state version is {}", state.min(), state.version());
        cx.error(&min.value, message);
    }
    for field in device.registers.iter().map(|register| &register.state) {
        register(cx, field);
    }
    for block in &device.blocks {
        if let Some(key) = block.state.beyond_shape() {
            let message = format!(
                "`{key}` is said in the block; here are `since`, `grown_from` \
                 and `renamed_from`"
            );
            cx.error(key, message);
        }
    }
    if device.migrates() {
        names(cx, device);
        removed(cx, device);
        growth::validate(cx, device);
        for (name, field) in fields(device) {
            evolution(cx, device, &name, field);
        }
        let converted = |state: &FieldState| state.skip.is_some() || state.with.is_some();
        let plain = device.private.iter().filter(|field| field.memory.is_none());
        for field in plain.filter(|field| !converted(&field.state)) {
            state_type::validate(cx, field);
        }
    }
}

/// All that can have a name in the stream.
fn fields<'d>(device: &'d Device<'_>) -> impl Iterator<Item = (String, &'d FieldState)> {
    let registers = device.registers.iter().map(|field| (field.name.clone(), &field.state));
    registers.chain(device.private.iter().map(|field| (field.name.clone(), &field.state)))
}

/// A register is an integer: nothing has to be said about how it is written.
fn register(cx: &Ctxt, state: &FieldState) {
    let with = state.with.as_ref().map(|given| &given.key);
    let max_len = state.max_len.as_ref().map(|given| &given.key);
    if let Some(default) = &state.default
        && let Some(what) = crate::literal::never_an_integer(&default.value)
    {
        cx.error(&default.value, format_args!("expected an integer or a constant, not {what}"));
    }
    for key in [with, max_len].into_iter().flatten() {
        cx.error(
            key,
            format_args!("a register migrates as an integer; `{key}` is for private fields"),
        );
    }
}

/// M04, and options of a field that is skipped.
fn evolution(cx: &Ctxt, device: &Device<'_>, name: &str, state: &FieldState) {
    if let Some(skip) = &state.skip {
        let others = [
            state.since.as_ref().map(|given| &given.key),
            state.default.as_ref().map(|given| &given.key),
            state.with.as_ref().map(|given| &given.key),
            state.max_len.as_ref().map(|given| &given.key),
            state.renamed_from.as_ref().map(|given| &given.key),
            state.grown_from.as_ref().map(|given| &given.key),
        ];
        if let Some(other) = others.into_iter().flatten().next() {
            cx.error(other, format_args!("a field with `{skip}` does not migrate"));
        }
        return;
    }
    match (&state.since, &state.default) {
        (Some(since), None) if since.value.known.is_some() => {
            let message = format!(
                "`{name}` needs `default = ..`: what it is in the state of an older version"
            );
            cx.error(&since.key, message);
        }
        (None, Some(default)) => {
            let message =
                format!("`default` is for a field with `since = ..`; `{name}` is always sent");
            cx.error(&default.key, message);
        }
        _ => {}
    }
    is_of_version(cx, device, name, state);
}

fn is_of_version(cx: &Ctxt, device: &Device<'_>, name: &str, state: &FieldState) {
    let version = device.state.version();
    if let (Some(since), Some(given)) = (state.since(), &state.since)
        && since > version
    {
        let message =
            format!("field `{name}` is new in version {since}, but the state version is {version}");
        cx.error(&given.value, message);
    }
}

/// M06
fn names(cx: &Ctxt, device: &Device<'_>) {
    let migrating: Vec<_> = fields(device).filter(|(_, state)| state.skip.is_none()).collect();
    // How many fields have a name, now or in older state.
    let mut named = HashMap::<String, usize>::new();
    for (name, state) in &migrating {
        *named.entry(name.clone()).or_default() += 1;
        for old in state.old_names() {
            *named.entry(old.value()).or_default() += 1;
        }
    }
    for (_, state) in &migrating {
        for old in state.old_names() {
            let old_name = old.value();
            wire(cx, old, &old_name, LONGEST);
            if named.get(&old_name).is_some_and(|count| *count > 1) {
                cx.error(old, format_args!("two fields have the wire name `{old_name}`"));
            }
        }
    }
    for block in &device.blocks {
        old_names(cx, &block.state, LONGEST - OF_BLOCK);
        is_of_version(cx, device, &block.name, &block.state);
    }
}

/// Of a block or a timer.
fn old_names(cx: &Ctxt, state: &FieldState, longest: usize) {
    for old in state.old_names() {
        wire(cx, old, &old.value(), longest);
    }
}

/// What was removed stays removed: state of older versions has it under that name.
fn removed(cx: &Ctxt, device: &Device<'_>) {
    let migrating = fields(device).filter(|(_, state)| state.skip.is_none());
    let names = |(name, state): (String, &FieldState)| {
        state.old_names().iter().map(LitStr::value).chain([name]).collect::<Vec<_>>()
    };
    let taken: HashSet<_> = migrating.flat_map(names).collect();
    for removed in &device.state.removed {
        let name = removed.value();
        // The section of a block is called `block.` and its name.
        wire(cx, removed, name.strip_prefix("block.").unwrap_or(&name), LONGEST);
        if taken.contains(&name) {
            let message = format!("`{name}` was removed, so no field can have its name");
            cx.error(removed, message);
        }
    }
}

/// Whether a type is written as bytes: `Vec<u8>`.
pub(crate) fn is_byte_vec(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path, .. }) = peel(ty) else { return false };
    let Some(last) = path.segments.last().filter(|last| last.ident == "Vec") else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    matches!(arguments.args.first(), Some(GenericArgument::Type(ty)) if last_ident(ty).is_some_and(|name| name == "u8"))
}
