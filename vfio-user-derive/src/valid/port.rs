//! Ports: what a register whose hooks receive the bytes of each access can have besides.

use proc_macro2::Ident;

use crate::ast::Register;
use crate::attr::Reg;
use crate::ctxt::Ctxt;
use crate::layout::HookKind;
use crate::policy::Policy;

pub(super) fn validate(cx: &Ctxt, register: &Register<'_>) {
    let Some(port) = &register.reg.behaviour.port else { return };
    let (name, reg) = (&register.name, &register.reg);
    for key in beyond_bytes(reg) {
        let message = format!("port `{name}` hands its bytes to hooks, so it has no `{key}`");
        cx.error(key, message);
    }
    if register.ty.is_stored || register.ty.width().is_none() {
        let message = format!(
            "port `{name}` holds no value; its type is `Virtual<u8>`, `Virtual<u16>`, \
             `Virtual<u32>` or `Virtual<u64>`"
        );
        cx.error(register.ty.written, message);
    }
    let policy = reg.policy();
    if !matches!(policy, Policy::Rw | Policy::Ro | Policy::Wo)
        && let Some(given) = &reg.policy
    {
        let key = &given.key;
        cx.error(key, format_args!("a port is `rw`, `ro` or `wo`, not `{key}`"));
        return;
    }
    let needs = |hook: HookKind, access: &str| {
        let hook = hook.name();
        let message = format!("port `{name}` can be {access}, so it needs `{hook} = ..`");
        cx.error(port, message);
    };
    if policy.is_readable() && !reg.hooks.has(HookKind::ReadWith) {
        needs(HookKind::ReadWith, "read");
    }
    if policy.is_writable() && !reg.hooks.has(HookKind::WriteWith) {
        needs(HookKind::WriteWith, "written");
    }
}

/// What acts on a value.
pub(super) fn beyond_bytes(reg: &Reg) -> impl Iterator<Item = &Ident> {
    let behaviour = &reg.behaviour;
    let ints = [&reg.reset, &reg.mask, &reg.writable, &reg.ioeventfd].into_iter().flatten();
    let hooks = [HookKind::OnRead, HookKind::OnWrite, HookKind::Kick].into_iter();
    let hooks = hooks.filter_map(|kind| reg.hooks.get(kind));
    let flags = [&behaviour.sticky, &behaviour.volatile, &behaviour.singlepulse, &behaviour.watch];
    let wide = behaviour.wide.as_ref().map(|given| &given.key);
    let keys = ints.map(|given| &given.key).chain(hooks.map(|given| &given.key));
    let kept = behaviour.kept.first();
    keys.chain(kept).chain(flags.into_iter().flatten()).chain(wide)
}
