//! Windows: what they go by, where they lead, and what they can have besides.

use super::{port, rule, target};
use crate::ast::{Device, Register};
use crate::attr::{BarNumber, Int, Window, WindowBar};
use crate::ctxt::Ctxt;
use crate::layout::{self, CONFIG, HookKind, LayoutError};
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
    reach(cx, device, register);
}

/// The mask of the index has no offsets that the BAR lacks.
fn reach(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let Some((index, mask)) = index(device, register) else { return };
    if let (Some(known), Some((bar, Some(size)))) = (mask.known, reached(device, register)) {
        let check = layout::window_reach(&register.name, &index.name, known, bar, size);
        rule(cx, mask, check);
    }
}

/// Returns the register by which a window goes, and its mask, if it has one.
fn index<'d>(device: &'d Device<'_>, window: &Register<'_>) -> Option<(&'d Register<'d>, &'d Int)> {
    let path = window.reg.window.as_ref()?.value.at.as_ref()?;
    let (_, index) = device.register(&path.register).filter(|_| path.field.is_none())?;
    Some((index, &index.reg.mask.as_ref()?.value))
}

/// Returns the BAR that a window reaches, if it is always the same, and its size, if the macro
/// knows it.
fn reached(device: &Device<'_>, register: &Register<'_>) -> Option<(u8, Option<u64>)> {
    let bar = match &register.reg.window.as_ref()?.value.bar {
        None => device.bar_of(register)?,
        Some(WindowBar::Number(number)) => number.index?,
        Some(WindowBar::Selected(_)) => return None,
    };
    Some((bar, device.bar(bar)?.size.known))
}

/// Returns the mask of the index of a window, if constant evaluation has to compare it with the
/// BAR.
pub(crate) fn undecided_mask<'d>(device: &'d Device<'_>, window: &Register<'_>) -> Option<&'d Int> {
    let (_, mask) = index(device, window)?;
    let (_, size) = reached(device, window)?;
    (mask.known.is_none() || size.is_none()).then_some(mask)
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
