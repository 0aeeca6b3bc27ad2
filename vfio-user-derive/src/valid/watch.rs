//! Watched registers: what guests write as memory, and the device sees later.

use proc_macro2::Ident;

use crate::ast::{Device, Register};
use crate::attr::Reg;
use crate::ctxt::Ctxt;
use crate::layout::{self, HookKind};
use crate::policy::Policy;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let Some(watch) = &register.reg.behaviour.watch else { return };
    let (name, reg) = (&register.name, &register.reg);
    if let Some(policy) = &reg.policy
        && policy.value != Policy::Rw
    {
        let key = &policy.key;
        let message =
            format!("guests read and write watched register `{name}` as memory: `rw`, not `{key}`");
        cx.error(key, message);
    }
    for key in beyond_memory(reg) {
        let message =
            format!("guests access watched register `{name}` as memory, which has no `{key}`");
        cx.error(key, message);
    }
    if !register.ty.is_stored && reg.reset.is_none() {
        let message = format!(
            "watched register `{name}` has no storage: say with `reset = ..` what its memory holds \
             between two writes, a value that guests never write"
        );
        cx.error(watch, message);
    }
    place(cx, device, register, watch);
}

/// What memory does not do, nor the device later in its place.
fn beyond_memory(reg: &Reg) -> impl Iterator<Item = &Ident> {
    let hooks = [HookKind::ReadWith, HookKind::OnRead, HookKind::Kick];
    let hooks = hooks.into_iter().filter_map(|kind| reg.hooks.get(kind));
    let ioeventfd = reg.ioeventfd.as_ref().map(|given| &given.key);
    let wide = reg.behaviour.wide.as_ref().map(|given| &given.key);
    hooks.map(|hook| &hook.key).chain(ioeventfd).chain(wide)
}

/// A watched register lies where clients map. The place of a block is unknown here.
fn place(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, watch: &Ident) {
    let Some(index) = device.bar_of(register).filter(|_| device.block.is_none()) else { return };
    let Some(bar) = device.bar(index) else {
        if index == layout::CONFIG {
            cx.error(watch, "configuration space is not shared: there is nothing to watch");
        }
        return;
    };
    if bar.shared.is_none() {
        let name = &register.name;
        cx.error(watch, format_args!("`{name}` lies in BAR {index}, which is not `shared`"));
        return;
    }
    let (Some(areas), Some(extent)) = (bar.known_shared_areas(), register.extent()) else { return };
    if !areas.iter().any(|area| layout::is_within(&extent, *area))
        && let Err(error) = layout::nothing_to_watch(&extent, index)
    {
        cx.error(watch, error);
    }
}
