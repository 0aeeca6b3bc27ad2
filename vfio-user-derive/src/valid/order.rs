//! The order of the bytes of registers.

use crate::ast::{Device, Register};
use crate::ctxt::Ctxt;
use crate::layout::LayoutError;

/// A big-endian register has several bytes, all of which are accessed by messages.
pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, register: &Register<'_>) {
    let (name, reg) = (&register.name, &register.reg);
    let behaviour = &reg.behaviour;
    let ioeventfd = reg.ioeventfd.as_ref().map(|given| &given.key);
    let Some(big) = &behaviour.big else {
        let bar = device.bar_of(register).and_then(|bar| device.bar(bar));
        if bar.is_some_and(|bar| bar.big.is_some())
            && device.block.is_none()
            && let Some(key) = behaviour.watch.as_ref().or(ioeventfd)
        {
            cx.error(key, LayoutError::BigWithoutMessage { register: name });
        }
        return;
    };
    if register.ty.width() == Some(1) {
        cx.error(big, format_args!("register `{name}` has one byte, and therefore no byte order"));
    }
    if let Some(port) = &behaviour.port {
        let message = format!("port `{name}` has the bytes of an access in their order: drop one");
        cx.error(big, message);
        cx.error(port, "`port` is given here");
    }
    for key in [behaviour.watch.as_ref(), ioeventfd].into_iter().flatten() {
        let message = format!("`{key}` needs a little-endian register; `{name}` is `big`");
        cx.error(key, message);
    }
}
