//! State that can migrate. M02, M04 to M07

use std::collections::{HashMap, HashSet};

use quote::ToTokens as _;
use syn::{GenericArgument, LitStr, PathArguments, Type, TypePath};

use crate::ast::{Device, PrivateField, peel};
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
        if let Some(at) = &block.state.at
            && !block.state.only_renames()
        {
            cx.error(at, "how a block migrates is said in the block");
        }
    }
    if device.migrates() {
        names(cx, device);
        removed(cx, device);
        for (name, field) in fields(device) {
            evolution(cx, device, &name, field);
        }
        for field in device.private.iter().filter(|field| field.state.skip.is_none()) {
            value(cx, field);
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
    for key in [with, max_len].into_iter().flatten() {
        cx.error(
            key,
            format_args!("a register migrates as an integer; `{key}` is for private fields"),
        );
    }
}

/// M04, and a field that is skipped all the same.
fn evolution(cx: &Ctxt, device: &Device<'_>, name: &str, state: &FieldState) {
    if let Some(skip) = &state.skip {
        let others = [
            state.since.as_ref().map(|given| &given.key),
            state.default.as_ref().map(|given| &given.key),
            state.with.as_ref().map(|given| &given.key),
            state.max_len.as_ref().map(|given| &given.key),
            state.renamed_from.as_ref().map(|given| &given.key),
        ];
        if let Some(other) = others.into_iter().flatten().next() {
            cx.error(other, format_args!("a field with `{skip}` does not migrate"));
        }
        return;
    }
    match (&state.since, &state.default) {
        (Some(since), None) => {
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
    let mut idents = device.registers.iter().map(|field| field.field).collect::<Vec<_>>();
    idents.extend(device.private.iter().map(|field| field.field));
    let migrating = fields(device).zip(idents).filter(|((_, state), _)| state.skip.is_none());
    let migrating: Vec<_> = migrating.collect();
    // How many fields have a name, now or in older state.
    let mut named = HashMap::<String, usize>::new();
    for ((name, state), _) in &migrating {
        *named.entry(name.clone()).or_default() += 1;
        for old in state.old_names() {
            *named.entry(old.value()).or_default() += 1;
        }
    }
    for ((name, state), ident) in &migrating {
        if !is_name(name, LONGEST) {
            cx.error(ident, name_message(name, LONGEST));
        }
        for old in state.old_names() {
            let old_name = old.value();
            if !is_name(&old_name, LONGEST) {
                cx.error(old, name_message(&old_name, LONGEST));
            }
            if named.get(&old_name).is_some_and(|count| *count > 1) {
                cx.error(old, format_args!("two fields have the wire name `{old_name}`"));
            }
        }
    }
    for block in &device.blocks {
        // Its section is called `block.` and its name.
        if !is_name(&block.name, LONGEST - 6) {
            cx.error(block.field, name_message(&block.name, LONGEST - 6));
        }
        old_names(cx, &block.state, LONGEST - 6);
    }
}

/// Of a block or a timer.
fn old_names(cx: &Ctxt, state: &FieldState, longest: usize) {
    for old in state.old_names() {
        let name = old.value();
        if !is_name(&name, longest) {
            cx.error(old, name_message(&name, longest));
        }
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
        if !is_name(name.strip_prefix("block.").unwrap_or(&name), LONGEST) {
            cx.error(removed, name_message(&name, LONGEST));
        }
        if taken.contains(&name) {
            let message = format!("`{name}` was removed, so no field can have its name");
            cx.error(removed, message);
        }
    }
}

/// Of a field in the stream, in bytes.
const LONGEST: usize = 64;

fn is_name(name: &str, longest: usize) -> bool {
    let accepted = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty() && name.len() <= longest && name.chars().all(accepted)
}

fn name_message(name: &str, longest: usize) -> String {
    format!(
        "`{name}` cannot be a name in a stream: 1 to {longest} letters, digits and `_`, in ASCII"
    )
}

/// M02, M05, M07. A field that is converted may be anything.
fn value(cx: &Ctxt, field: &PrivateField<'_>) {
    if field.state.with.is_some() {
        return;
    }
    let ty = peel(field.ty);
    let handles = "references, raw pointers and `Arc` cannot be migrated; skip them, and rebuild \
                   them in `loaded`";
    match ty {
        Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) => return cx.error(field.ty, handles),
        _ => {}
    }
    let Some(name) = last_segment(ty) else { return };
    match name.as_str() {
        "usize" | "isize" => {
            let fixed = if name == "usize" { "u32 or u64" } else { "i32 or i64" };
            cx.error(field.ty, format_args!("`{name}` has no fixed width; use {fixed}"));
        }
        "Arc" | "Rc" | "NonNull" => cx.error(field.ty, handles),
        name if COLLECTIONS.contains(&name) && field.state.max_len.is_none() => {
            let ty = field.ty.to_token_stream().to_string().replace(' ', "");
            cx.error(
                field.ty,
                format_args!(
                    "migrated `{ty}` needs `#[migrate(max_len = ..)]`, the most it can hold"
                ),
            );
        }
        _ => {}
    }
}

const COLLECTIONS: &[&str] =
    &["Vec", "VecDeque", "String", "HashMap", "BTreeMap", "HashSet", "BTreeSet", "BinaryHeap"];

fn last_segment(ty: &Type) -> Option<String> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return None };
    Some(path.segments.last()?.ident.to_string())
}

/// Whether a type is written as bytes: `Vec<u8>`.
pub(crate) fn is_byte_vec(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path, .. }) = peel(ty) else { return false };
    let Some(last) = path.segments.last().filter(|last| last.ident == "Vec") else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    matches!(arguments.args.first(), Some(GenericArgument::Type(ty)) if last_segment(peel(ty)).is_some_and(|name| name == "u8"))
}
