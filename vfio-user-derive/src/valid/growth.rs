//! Arrays that had fewer elements in older versions: `#[migrate(grown_from = 8)]`.

use syn::{Type, TypeArray};

use super::name::{LONGEST, OF_BLOCK};
use super::rule;
use crate::ast::{Device, peel};
use crate::attr::{FieldState, Int};
use crate::ctxt::Ctxt;
use crate::layout;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for register in &device.registers {
        let length = register.ty.length.as_ref();
        array(cx, &register.name, &register.state, length, LONGEST);
    }
    for block in &device.blocks {
        array(cx, &block.name, &block.state, block.length.as_ref(), LONGEST - OF_BLOCK);
    }
    for field in device.private.iter().filter(|field| field.memory.is_none()) {
        let length = match peel(field.ty) {
            Type::Array(TypeArray { len, .. }) => Some(Int::quiet(len.clone())),
            _ => None,
        };
        array(cx, &field.name, &field.state, length.as_ref(), LONGEST);
        private(cx, device, &field.name, &field.state, field.ty);
    }
}

fn private(cx: &Ctxt, device: &Device<'_>, name: &str, state: &FieldState, ty: &Type) {
    let Some(given) = &state.grown_from else { return };
    let key = &given.key;
    if state.with.is_some() {
        let message =
            format!("`{name}` is converted by `with`, so its elements are not seen; drop `{key}`");
        cx.error(key, message);
    } else if device.mentions_any_parameter(ty) {
        let message = format!(
            "the length of `{name}` or its type is a parameter; `{key}` needs an array of known length"
        );
        cx.error(key, message);
    }
}

fn array(cx: &Ctxt, name: &str, state: &FieldState, length: Option<&Int>, longest: usize) {
    let Some(given) = &state.grown_from else { return };
    let Some(length) = length else {
        let key = &given.key;
        cx.error(
            key,
            format_args!("`{key}` is for arrays; `{name}` is none that can be seen here"),
        );
        return;
    };
    let mut before = 0;
    for number in &given.value {
        let Some(count) = number.known else { continue };
        if count <= before && count > 0 {
            let message =
                format!("`{name}` had {before} elements and then {count}: an array grows");
            cx.error(number, message);
        } else if let Some(length) = length.known {
            rule(cx, number, layout::growth(name, count, length));
        }
        before = count;
        let part = format!("{name}.{count}");
        if part.len() > longest {
            let message = format!(
                "the elements after the first {count} would be called `{part}` in a stream, which \
                 takes {longest} letters at most"
            );
            cx.error(number, message);
        }
    }
}
