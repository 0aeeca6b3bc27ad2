//! What a register does besides its policy: width (`wide`), locks (A09), pulses (A07), resets.

use super::{rule, target};
use crate::ast::{Device, Register};
use crate::attr::{Given, Kept, RegisterPath};
use crate::ctxt::Ctxt;
use crate::layout;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    wide(cx, register);
    pulse(cx, register);
    if let Some(lock) = &register.reg.behaviour.lock {
        self::lock(cx, device, register, &lock.value.path);
    }
    let behaviour = &register.reg.behaviour;
    if let (Some(_), Some(key)) = (&behaviour.sticky, behaviour.kept.first()) {
        let name = &register.name;
        cx.error(key, format_args!("`sticky` already keeps `{name}` over every reset; drop one"));
    }
    kept(cx, &behaviour.kept);
}

/// The domains of soft resets are numbered from 0 to 7.
pub(super) fn kept(cx: &Ctxt, kept: &Kept) {
    for Given { value: domain, .. } in &kept.soft {
        if let Some(known) = domain.known {
            rule(cx, domain, layout::soft_domain(known));
        }
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
fn lock(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>, path: &RegisterPath) {
    let (name, target) = (&register.name, path.name());
    let Some(locking) = target::register(cx, device, path, "lock target", name) else { return };
    if !locking.ty.is_stored {
        let message = format!("lock target `{target}` has no storage, so it never locks");
        cx.error(&path.expr, message);
    } else if path.field.is_some() && locking.ty.width().is_some() {
        let of = &locking.name;
        let message = format!("lock target `{target}` does not exist: `{of}` has no named fields");
        cx.error(&path.expr, message);
    } else if let (Some(own), Some(other)) = (register.known_count(), locking.known_count()) {
        rule(cx, &path.expr, layout::lock_elements(name, own, &locking.name, other));
    }
}
