//! Memory: its type, its BAR, and how it migrates. Constant evaluation checks its range against all
//! that lies in the BAR.

use proc_macro2::Ident;
use quote::ToTokens as _;

use super::{mirror, rule};
use crate::ast::{Device, PrivateField};
use crate::attr::{FieldState, Memory};
use crate::ctxt::Ctxt;
use crate::layout::{self, Kind, LayoutError};
use crate::storage::Storage;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for (field, memory) in device.memories() {
        if device.block.is_some() {
            cx.error(field.field, "a block holds registers; memory belongs to a device");
            continue;
        }
        if Storage::of(field.ty).is_none() {
            let ty = field.ty.to_token_stream().to_string().replace(' ', "");
            let message =
                format!("`{ty}` cannot be memory; use `[u8; N]`, `Box<[u8]>` or `Vec<u8>`");
            cx.error(field.ty, message);
        }
        if let Some(range) = &memory.range
            && let Some((start, end)) = range.known()
        {
            rule(cx, &range.range, layout::memory_range(Kind::Memory, &field.name, start, end));
        }
        bar(cx, device, field, memory);
        for key in beyond_bytes(&field.state) {
            let message = format!("memory migrates as the bytes of its range; it has no `{key}`");
            cx.error(key, message);
        }
    }
}

/// Memory lies in a BAR that was declared.
fn bar(cx: &Ctxt, device: &Device<'_>, field: &PrivateField<'_>, memory: &Memory) {
    let given = memory.bar.as_ref();
    if device.attrs.bars_incomplete {
        return;
    }
    if let Some(bar) = device.bar_or_default(given)
        && device.bar(bar).is_none()
    {
        let error = LayoutError::MissingBar { kind: Kind::Memory, register: &field.name, bar };
        match given {
            Some(given) => cx.error(&given.value.expr, error),
            None => cx.error(field.field, error),
        }
    }
    mirror::holds_nothing(cx, device, (Kind::Memory, field.field), given);
}

fn beyond_bytes(state: &FieldState) -> impl Iterator<Item = &Ident> {
    let with = state.with.as_ref().map(|given| &given.key);
    let max_len = state.max_len.as_ref().map(|given| &given.key);
    let grown_from = state.grown_from.as_ref().map(|given| &given.key);
    [with, max_len, grown_from].into_iter().flatten()
}
