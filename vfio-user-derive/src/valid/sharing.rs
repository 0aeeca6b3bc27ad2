//! Registers that share bytes: overlaid by direction, with conditions, selected by an index.

use proc_macro2::Ident;

use super::{rule, target};
use crate::ast::{BlockField, Device, Register};
use crate::attr::{Condition, RegisterPath, Values};
use crate::ctxt::Ctxt;
use crate::layout::{self, Answers, Check, Extent, HookKind, When};

/// The accesses that a register answers, as far as the macro knows. What it does not know counts as
/// answered.
pub(crate) struct Known<'a> {
    answers: Answers<'a>,
    register: String,
    field: String,
    values: Vec<(u64, u64)>,
    pub(crate) is_certain: bool,
}

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let sharing = &register.reg.sharing;
    let is_watched = register.reg.behaviour.watch.is_some();
    if let Some(overlay) = sharing.overlay.as_ref().filter(|_| !is_watched)
        && register.ty.width().is_some()
    {
        let policy = register.reg.policy();
        let (reads, writes) = (policy.is_readable(), policy.is_writable());
        rule(cx, overlay, layout::overlay(&register.name, reads, writes));
    }
    if let Some(condition) = &sharing.condition {
        self::condition(cx, device, register, condition);
    }
    if let Some(select) = &sharing.select {
        self::select(cx, device, register, &select.key, &select.value);
    }
    if let Some(sizes) = &sharing.sizes
        && device.bar_of(register) == Some(layout::CONFIG)
        && device.block.is_none()
    {
        let name = &register.name;
        cx.error(&sizes.key, layout::LayoutError::SizeInConfig { register: name });
    }
    without_messages(cx, register);
}

/// Reports an overlaid register where no other one lies.
pub(super) fn alone(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, is_crowded: bool) {
    if let Some(overlay) = &register.reg.sharing.overlay
        && !is_crowded
        && register.reg.behaviour.watch.is_none()
        && has_known_places(device)
    {
        cx.error(overlay, layout::LayoutError::OverlayAlone { register: &register.name });
    }
}

/// Whether the macro knows the place of every register.
pub(crate) fn has_known_places(device: &Device<'_>) -> bool {
    device.registers.iter().all(|register| register.extent().is_some())
}

/// A condition is on another single register with storage, which does not depend on it.
fn condition(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, condition: &Condition) {
    let Condition { path, values } = condition;
    let Some(other) = target::register(cx, device, path, "condition", &register.name) else {
        return;
    };
    if !target::is_single(cx, other, path, "condition") {
        return;
    }
    if let Some(through) = cycle(device, register, other) {
        let name = &register.name;
        let through =
            if through == *name { String::new() } else { format!(", through `{through}`") };
        let message = format!("the condition of register `{name}` depends on itself{through}");
        cx.error(&path.expr, message);
        return;
    }
    // Constant evaluation knows the widths of fields.
    let width = other.ty.width().filter(|_| path.field.is_none());
    let bits = width.map_or(64, |width| width * 8);
    let mask = other.known_mask().filter(|_| path.field.is_none()).unwrap_or(u64::MAX);
    for range in values {
        if let Some(known) = range.known() {
            rule(cx, &range.pattern, layout::condition_values(&path.name(), bits, mask, known));
        }
    }
}

/// Returns the register through which the condition of `register`, on `other`, depends on itself.
fn cycle(device: &Device<'_>, register: &Register<'_>, other: &Register<'_>) -> Option<String> {
    let mut at = other;
    for _ in 0..device.registers.len() {
        if std::ptr::eq(at, register) {
            return Some(other.name.clone());
        }
        let condition = at.reg.sharing.condition.as_ref()?;
        (_, at) = device.register(&condition.path.register)?;
    }
    None
}

/// A selected array has a single register with storage that selects from it, and no stride.
fn select(
    cx: &Ctxt,
    device: &Device<'_>,
    register: &Register<'_>,
    key: &Ident,
    path: &RegisterPath,
) {
    let name = &register.name;
    if register.ty.length.is_none() {
        cx.error(key, format_args!("`select` needs an array; `{name}` is a single register"));
    }
    if let Some(stride) = &register.reg.stride {
        cx.error(&stride.key, format_args!("the elements of `{name}` share bytes: drop `stride`"));
    }
    selector(cx, device, path, name, register.known_count());
}

/// Checks a selector of `count` elements of the array `name`.
fn selector(cx: &Ctxt, device: &Device<'_>, path: &RegisterPath, name: &str, count: Option<u64>) {
    let Some(other) = target::register(cx, device, path, "selector", name) else { return };
    if target::is_single(cx, other, path, "selector")
        && let (Some(width), Some(count), None) = (other.ty.width(), count, &path.field)
    {
        rule(cx, &path.expr, layout::selector_width(&path.name(), width * 8, name, count));
    }
}

/// The same for a block.
pub(super) fn block(cx: &Ctxt, device: &Device<'_>, block: &BlockField<'_>) {
    let Some(select) = &block.block.select else { return };
    let name = &block.name;
    if block.length.is_none() {
        let message = format!("`select` needs an array; `{name}` is a single block");
        cx.error(&select.key, message);
    }
    if let Some(stride) = &block.block.stride {
        cx.error(&stride.key, format_args!("the elements of `{name}` share bytes: drop `stride`"));
    }
    let count = block.length.as_ref().and_then(|length| length.known);
    selector(cx, device, &select.value, name, count);
}

/// Clients access doorbells and shared memory without a message, whatever a condition says.
fn without_messages(cx: &Ctxt, register: &Register<'_>) {
    let reg = &register.reg;
    let Some(conditional) = reg.sharing.is_conditional() else {
        if let (Some(key), Some(_)) = (&reg.sharing.overlay, &reg.behaviour.watch) {
            cx.error(key, layout::LayoutError::ConditionalWatch { register: &register.name });
        }
        return;
    };
    let doorbell = reg.ioeventfd.as_ref().map(|given| &given.key);
    let doorbell = doorbell.or(reg.hooks.get(HookKind::Kick).map(|kick| &kick.key));
    if let Some(key) = doorbell {
        cx.error(key, layout::LayoutError::ConditionalDoorbell { register: &register.name });
        cx.error(conditional, format_args!("`{conditional}` is given here"));
    }
    if reg.behaviour.watch.is_some() {
        cx.error(conditional, layout::LayoutError::ConditionalWatch { register: &register.name });
    }
}

/// R01, R06: two registers in one BAR. Constant evaluation decides what the macro does not know.
pub(super) fn apart<'a>(
    (one, extent): (&'a Register<'_>, &Extent<'a>),
    (other, other_extent): (&'a Register<'_>, &Extent<'a>),
    report: impl FnOnce(Check<'_>) -> bool,
) -> bool {
    let (known, other_known) = (Known::of(one), Known::of(other));
    let check = layout::apart((extent, &known.answers()), (other_extent, &other_known.answers()));
    if check.is_err() && !(known.is_certain && other_known.is_certain) {
        return true;
    }
    report(check)
}

/// Whether the condition of a register, if it has one, names a register. One that does not is
/// reported as such, and not as an overlap.
pub(super) fn is_resolved(device: &Device<'_>, register: &Register<'_>) -> bool {
    let condition = register.reg.sharing.condition.as_ref();
    condition.is_none_or(|condition| device.register(&condition.path.register).is_some())
}

impl Known<'_> {
    pub(crate) fn of(register: &Register<'_>) -> Self {
        let sharing = &register.reg.sharing;
        let (mut answers, mut is_certain) = (Answers::ALL, !sharing.is_broken);
        if sharing.overlay.is_some() {
            let policy = register.reg.policy();
            let is_known = register.ty.width().is_some();
            is_certain &= is_known;
            answers.reads = policy.is_readable() || !is_known;
            answers.writes = policy.is_writable() || !is_known;
        }
        if let Some(sizes) = &sharing.sizes {
            answers.sizes = sizes.bits;
        }
        let condition = sharing.condition.as_ref();
        let ranges = condition.map_or(&[][..], |condition| &condition.values);
        let values: Vec<_> = ranges.iter().filter_map(Values::known).collect();
        is_certain &= values.len() == ranges.len();
        let path = condition.map(|condition| &condition.path);
        Known {
            answers,
            register: path.map(|path| path.register.to_string()).unwrap_or_default(),
            field: path
                .and_then(|path| path.field.as_ref())
                .map(Ident::to_string)
                .unwrap_or_default(),
            values: if values.len() == ranges.len() { values } else { vec![(0, u64::MAX)] },
            is_certain,
        }
    }

    fn answers(&self) -> Answers<'_> {
        let Known { answers, register, field, values, .. } = self;
        let when = (!register.is_empty()).then_some(When { register, field, values });
        Answers { when, ..*answers }
    }
}
