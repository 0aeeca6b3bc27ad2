//! Validates blocks: their declaration, and their use in a device. Constant evaluation checks the
//! rules that depend on the registers of a block, because these are declared elsewhere.

use std::collections::HashMap;

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{DeriveInput, Type};

use super::{
    behaviour, driver, intr, memory, migrate, mirror, name, not_packed, one_kind, register, sharing,
};
use crate::ast::{BlockField, Device, Register, TimerField, last_ident, peel};
use crate::attr::BlockAttrs;
use crate::ctxt::Ctxt;
use crate::layout::{self, Kind, LayoutError, MAX_LEVELS};

/// A block's declaration. R10, U05
pub(crate) fn validate_block(cx: &Ctxt, input: &DeriveInput, block: &Device<'_>) {
    not_packed(cx, input, "a block");
    one_kind(cx, input, "block");
    name::validate(cx, block);
    if !input.generics.params.is_empty() {
        let message = format!("block `{}` is generic; registers have fixed types", input.ident);
        cx.error(&input.generics.params, message);
    }
    if block.registers.is_empty() && block.blocks.is_empty() && !block.is_broken {
        cx.error(block.ident, format_args!("block `{}` has no registers", block.ident));
    }
    for inner in &block.blocks {
        validate_inner(cx, block, inner);
    }
    levels(cx, block);
    register::validate(cx, block);
    memory::validate(cx, block);
    intr::validate(cx, block);
    migrate::validate(cx, block);
    driver::validate(cx, block);
    let has_host = block.block.as_ref().is_some_and(|attrs| attrs.has_host);
    hooks_are_distinct(cx, block);
    for register in &block.registers {
        if let Some(bar) = &register.reg.bar {
            cx.error(&bar.key, "a block lies where a device puts it; `bar` belongs there");
        }
        hooks(cx, register, has_host);
    }
    for timer in &block.timers {
        timer_hook(cx, timer, has_host);
    }
}

/// A block in a block. Constant evaluation checks how many lie around each other.
fn validate_inner(cx: &Ctxt, block: &Device<'_>, inner: &BlockField<'_>) {
    if last_ident(inner.ty).is_some_and(|ty| ty == block.ident || ty == "Self") {
        cx.error(inner.ty, format_args!("block `{}` cannot lie in itself", block.ident));
    }
    if let Some(bar) = &inner.block.bar {
        cx.error(&bar.key, "a block lies where a device puts it; `bar` belongs there");
    }
    let (since, grown) = (&inner.state.since, &inner.state.grown_from);
    let given = since.as_ref().map(|given| &given.key);
    if let Some(key) = given.or(grown.as_ref().map(|given| &given.key)) {
        let message = format!(
            "`{key}` is for blocks of a device; `{}` lies in `{}`, whose versions it has",
            inner.name, block.ident
        );
        cx.error(key, message);
    }
    of_array(cx, inner);
    is_struct(cx, inner);
    sharing::block(cx, block, inner);
    behaviour::kept(cx, &inner.block.kept);
}

/// The hooks of a block that lies in others take as many indices.
fn levels(cx: &Ctxt, block: &Device<'_>) {
    let Some(attrs) = &block.block else { return };
    let Some(given) = &attrs.levels else { return };
    let most = MAX_LEVELS as u64 + 1;
    if !attrs.has_host {
        cx.error(&given.key, "`levels` are those of the hooks: it needs `host = ..`");
    } else if !given.value.known.is_some_and(|levels| (2..=most).contains(&levels)) {
        let message = format!(
            "a block with `levels` lies in others: 2 to {most} are accepted, as a number; without \
             it hooks take one index"
        );
        cx.error(&given.value, message);
    }
}

/// The hook of a timer is a method of the host, too.
fn timer_hook(cx: &Ctxt, timer: &TimerField<'_>, has_host: bool) {
    let Some(hook) = &timer.timer.hook else { return };
    if hook.path.get_ident().is_none() || hook.qself.is_some() {
        cx.error(hook, "the hooks of a block are methods of its host: `#[timer(expired)]`");
    } else if !has_host {
        let message = "the hooks of a block need a host: `#[block(host = ..)]` on the struct";
        cx.error(hook, message);
    }
}

/// The hooks of a block are methods of its host.
fn hooks(cx: &Ctxt, register: &Register<'_>, has_host: bool) {
    for (_, hook) in register.reg.hooks.iter() {
        if hook.value.path.get_ident().is_none() || hook.value.qself.is_some() {
            let key = &hook.key;
            let message =
                format!("the hooks of a block are methods of its host: `{key} = doorbell`");
            cx.error(&hook.value, message);
        } else if !has_host {
            let message = "the hooks of a block need a host: `#[block(host = ..)]` on the struct";
            cx.error(&hook.value, message);
        }
    }
}

/// R09: a method of the host is the hook of one register or timer: its name does not say of which.
fn hooks_are_distinct(cx: &Ctxt, block: &Device<'_>) {
    let mut seen = HashMap::<&Ident, &Ident>::new();
    let hooks = block.registers.iter().flat_map(|register| register.reg.hooks.iter());
    let hooks = hooks.map(|(_, hook)| &hook.value);
    let timers = block.timers.iter().filter_map(|timer| timer.timer.hook.as_ref());
    for hook in hooks.chain(timers).filter_map(|hook| hook.path.get_ident()) {
        let first = seen.entry(hook).or_insert(hook);
        if !std::ptr::eq(*first, hook) {
            cx.error(hook, format_args!("two hooks are named `{hook}`"));
            cx.error(first, format_args!("`{hook}` is named here first"));
        }
    }
}

/// A device's use of blocks.
pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for block in &device.blocks {
        of_array(cx, block);
        is_struct(cx, block);
        bar(cx, device, block);
        sharing::block(cx, device, block);
        behaviour::kept(cx, &block.block.kept);
    }
}

/// Reports options for arrays on a single block.
fn of_array(cx: &Ctxt, block: &BlockField<'_>) {
    if let (Some(stride), None) = (&block.block.stride, &block.length) {
        let message = format!("`stride` needs an array; `{}` is a single block", block.name);
        cx.error(&stride.value, message);
    }
    if let (Some(stride), None) = (&block.block.vector_stride, &block.length) {
        let message = format!("`vector_stride` needs an array; `{}` is a single block", block.name);
        cx.error(&stride.value, message);
    }
}

fn is_struct(cx: &Ctxt, block: &BlockField<'_>) {
    if !matches!(peel(block.ty), Type::Path(_) | Type::Macro(_)) {
        let ty = block.ty.to_token_stream().to_string();
        let message =
            format!("`{ty}` cannot be a block; a block is a `#[derive(RegisterBlock)]` struct");
        cx.error(block.ty, message);
    }
}

/// A block lies in configuration space, or in a BAR that was declared.
fn bar(cx: &Ctxt, device: &Device<'_>, block: &BlockField<'_>) {
    let given = block.block.bar.as_ref();
    if device.attrs.bars_incomplete {
        return;
    }
    if let Some(bar) = device.bar_or_default(given)
        && bar != layout::CONFIG
        && device.bar(bar).is_none()
    {
        let error = LayoutError::MissingBar { kind: Kind::Block, register: &block.name, bar };
        match given {
            Some(given) => cx.error(&given.value.expr, error),
            None => cx.error(block.field, error),
        }
    }
    mirror::holds_nothing(cx, device, (Kind::Block, block.field), given);
}

impl BlockAttrs {
    pub(crate) fn host(&self) -> Option<&Ident> {
        self.host.as_ref().map(|given| &given.value)
    }

    /// The number of indices that its hooks take, if it is more than one.
    pub(crate) fn levels(&self) -> Option<u64> {
        self.levels.as_ref()?.value.known
    }
}
