//! Doorbells: registers that clients may write by way of an eventfd.

use super::rule;
use crate::ast::{Device, Register};
use crate::ctxt::Ctxt;
use crate::layout::{self, CONFIG, HookKind};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let (name, hooks) = (&register.name, &register.reg.hooks);
    let ioeventfd = register.reg.ioeventfd.as_ref();
    let kick = hooks.get(HookKind::Kick);
    let Some(key) = ioeventfd.map(|given| &given.key).or(kick.map(|kick| &kick.key)) else {
        return;
    };
    if device.bar_of(register) == Some(CONFIG) {
        cx.error(key, format_args!("register `{name}` cannot be a doorbell: it is in no BAR"));
    }
    let Some(ioeventfd) = ioeventfd else { return };
    if let Some(kick) = kick {
        cx.error(
            &kick.key,
            "an eventfd matches one value or any: give one of `ioeventfd` and `kick`",
        );
        cx.error(&ioeventfd.key, "`ioeventfd` is given here");
    } else if !hooks.has(HookKind::WriteWith) && !hooks.has(HookKind::OnWrite) {
        cx.error(
            key,
            format_args!("`ioeventfd` needs a hook: `{name}` has no `write_with` or `on_write`"),
        );
    }
    if let (Some(width), Some(value)) = (register.ty.width(), ioeventfd.value.known) {
        rule(cx, &ioeventfd.value, layout::doorbell_value(name, width, value));
    }
}
