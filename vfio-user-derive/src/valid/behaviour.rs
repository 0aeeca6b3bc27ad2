//! What a register does besides its policy: width (`wide`), locks (A09), pulses (A07), resets.

use super::rule;
use crate::ast::{Device, Register};
use crate::attr::LockTarget;
use crate::ctxt::Ctxt;
use crate::layout;
use crate::suggest;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    wide(cx, register);
    pulse(cx, register);
    if let Some(lock) = &register.reg.behaviour.lock {
        self::lock(cx, device, register, &lock.value);
    }
    let behaviour = &register.reg.behaviour;
    if let (Some(_), Some(key)) = (&behaviour.sticky, &behaviour.keep_on_flr) {
        let name = &register.name;
        cx.error(key, format_args!("`sticky` already keeps `{name}` over every reset; drop one"));
    }
}

/// Half of a register can be written alone if it has 64 bits; half of it must not be cleared by a
/// read of the other.
fn wide(cx: &Ctxt, register: &Register<'_>) {
    let (name, reg) = (&register.name, &register.reg);
    let Some(width) = register.ty.width() else { return };
    if let Some(wide) = &reg.behaviour.wide {
        rule(cx, &wide.key, layout::wide(name, width));
    } else if let Some(policy) = &reg.policy
        && policy.value.is_changed_by_reads()
        && let Some(mask) = register.known_mask()
    {
        rule(cx, &policy.key, layout::not_torn(name, mask << 32 != 0 && mask >> 32 != 0));
    }
}

/// A07: a command that clears itself is written, and is not there at first.
fn pulse(cx: &Ctxt, register: &Register<'_>) {
    let (name, reg) = (&register.name, &register.reg);
    let Some(pulse) = &reg.behaviour.singlepulse else { return };
    if !reg.policy().is_writable() {
        cx.error(
            pulse,
            format_args!(
                "singlepulse register `{name}` must be writable; `{}` is not",
                reg.policy().name()
            ),
        );
    } else if !register.ty.is_stored {
        cx.error(
            pulse,
            format_args!("register `{name}` has no storage, so there is nothing to clear"),
        );
    }
    if let Some(reset) = &reg.reset
        && let Some(known) = reset.value.known
    {
        rule(cx, &reset.value, layout::pulse_reset(name, known));
    }
}

/// A09: a lock is a register that holds something, element by element; it may lock itself.
fn lock(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, target: &LockTarget) {
    let (name, target_name) = (&register.name, target.name());
    let Some((_, locking)) = device.register(&target.register) else {
        let others = device.registers.iter().map(|other| other.name.as_str());
        let others: Vec<_> = others.filter(|other| other != name).collect();
        let hint = suggest::closest(&target.register.to_string(), &others)
            .map(|word| format!("; did you mean `{word}`?"))
            .unwrap_or_default();
        let whole = if device.block.is_some() { "block" } else { "device" };
        let message = match device.other_field(&target.register) {
            Some(what) => format!(
                "lock target `{target_name}`: `{}` is {what}; a lock is a register of the {whole} \
                 itself",
                target.register
            ),
            None => format!("lock target `{target_name}` does not exist in this {whole}{hint}"),
        };
        cx.error(&target.expr, message);
        return;
    };
    if !locking.ty.is_stored {
        cx.error(
            &target.expr,
            format_args!("lock target `{target_name}` has no storage, so it never locks"),
        );
    } else if target.field.is_some() && locking.ty.width().is_some() {
        cx.error(
            &target.expr,
            format_args!(
                "lock target `{target_name}` does not exist: `{}` has no named fields",
                locking.name
            ),
        );
    } else if let (Some(own), Some(other)) = (register.known_count(), locking.known_count()) {
        rule(cx, &target.expr, layout::lock_elements(name, own, &locking.name, other));
    }
}
