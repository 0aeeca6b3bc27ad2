//! Windows: what they go by, where they lead, and what they can have besides.

use super::{port, target};
use crate::ast::{Device, Register};
use crate::attr::{BarNumber, Window, WindowBar};
use crate::ctxt::Ctxt;
use crate::layout::{CONFIG, HookKind, LayoutError};
use crate::policy::Policy;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let Some(window) = &register.reg.window else { return };
    let (window, name, reg) = (&window.value, &register.name, &register.reg);
    let hooks = [HookKind::ReadWith, HookKind::WriteWith].into_iter();
    let hooks = hooks.filter_map(|kind| reg.hooks.get(kind)).map(|given| &given.key);
    let behaviour = &reg.behaviour;
    let flags = [&behaviour.port, &behaviour.big].into_iter().flatten();
    for key in port::beyond_bytes(reg).chain(hooks).chain(flags) {
        let message = format!("window `{name}` passes its accesses on, so it has no `{key}`");
        cx.error(key, message);
    }
    if register.ty.is_stored || register.ty.width().is_none() || register.ty.length.is_some() {
        let message = format!(
            "window `{name}` holds no value; its type is `Virtual<u8>`, `Virtual<u16>`, \
             `Virtual<u32>` or `Virtual<u64>`"
        );
        cx.error(register.ty.written, message);
    }
    if let Some(given) = &reg.policy
        && !matches!(given.value, Policy::Rw | Policy::Ro | Policy::Wo)
    {
        let key = &given.key;
        cx.error(key, format_args!("a window is `rw`, `ro` or `wo`, not `{key}`"));
    }
    for path in window.paths() {
        if let Some(other) = target::register(cx, device, path, "window register", name) {
            target::is_single(cx, other, path, "window register");
        }
    }
    bar(cx, device, register, window);
}

/// A window reaches a BAR that is declared; a block leaves that to its device.
fn bar(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, window: &Window) {
    if device.block.is_some() || device.attrs.bars_incomplete {
        return;
    }
    let name = &register.name;
    match &window.bar {
        None if device.bar_of(register) == Some(CONFIG) => {
            cx.error(&window.key, LayoutError::WindowInConfig { register: name });
        }
        Some(WindowBar::Number(BarNumber { expr, index: Some(bar) }))
            if device.bar(*bar).is_none() =>
        {
            cx.error(expr, LayoutError::WindowBar { register: name, bar: *bar });
        }
        _ => {}
    }
}
