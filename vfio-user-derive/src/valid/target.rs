//! The registers that options of others name.

use crate::ast::{Device, Register};
use crate::attr::RegisterPath;
use crate::ctxt::Ctxt;
use crate::suggest;

/// Returns the register that an option of another one names; `what` is its role, such as `lock
/// target`. A name of nothing is reported, with the nearest one except `own`.
pub(super) fn register<'d, 'a>(
    cx: &Ctxt,
    device: &'d Device<'a>,
    path: &RegisterPath,
    what: &str,
    own: &str,
) -> Option<&'d Register<'a>> {
    if let Some((_, register)) = device.register(&path.register) {
        return Some(register);
    }
    let (name, register) = (path.name(), &path.register);
    let whole = if device.block.is_some() { "block" } else { "device" };
    let message = if let Some(other) = device.other_field(register) {
        format!("{what} `{name}`: `{register}` is {other}, not a register of this {whole}")
    } else {
        let others = device.registers.iter().map(|other| other.name.as_str());
        let others: Vec<_> = others.filter(|other| *other != own).collect();
        let hint = suggest::closest(&register.to_string(), &others)
            .map(|word| format!("; did you mean `{word}`?"))
            .unwrap_or_default();
        format!("{what} `{name}` does not exist in this {whole}{hint}")
    };
    cx.error(&path.expr, message);
    None
}

/// Reports a register that holds no single value that others can depend on. Returns whether it
/// holds one.
pub(super) fn is_single(
    cx: &Ctxt,
    register: &Register<'_>,
    path: &RegisterPath,
    what: &str,
) -> bool {
    let (name, of) = (path.name(), &register.name);
    let message = if register.ty.length.is_some() {
        format!("{what} `{name}`: `{of}` is an array; a {what} is a single register")
    } else if !register.ty.is_stored {
        format!("{what} `{name}` has no storage, so it has no value to go by")
    } else if path.field.is_some() && register.ty.width().is_some() {
        format!("{what} `{name}` does not exist: `{of}` has no named fields")
    } else {
        return true;
    };
    cx.error(&path.expr, message);
    false
}
