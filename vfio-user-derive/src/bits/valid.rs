//! The rules that the macro can decide. What needs the values of an enum or a constant is left to
//! constant evaluation (`expand`).

use quote::ToTokens as _;
use syn::{DeriveInput, Type};

use super::ast::{Field, Struct};
use super::attr::Width;
use super::constants;
use crate::ast::{last_ident, peel};
use crate::ctxt::Ctxt;
use crate::layout;
use crate::valid::{field_name, not_packed, one_kind, rule};

pub(super) fn validate(cx: &Ctxt, input: &DeriveInput, bits: &Struct<'_>) {
    not_packed(cx, input, "a register's struct");
    one_kind(cx, input, "register");
    not_generic(cx, input);
    if bits.fields.is_empty() && !bits.is_broken {
        cx.error(bits.ident, format_args!("register `{}` has no fields", bits.ident));
    }
    constants::are_apart(cx, "fields", bits.fields.iter().map(|field| field.ident));
    for (place, field) in bits.fields.iter().enumerate() {
        field_name(cx, field.ident, &field.name);
        let known_type = is_possible(cx, field);
        place_of(cx, bits.width.as_ref(), field, &bits.fields[..place]);
        if known_type {
            type_of(cx, field);
        }
        pulse(cx, field);
    }
}

/// U05
pub(super) fn not_generic(cx: &Ctxt, input: &DeriveInput) {
    if !input.generics.params.is_empty() {
        let message = format!("`{}` is generic; bits of a register have fixed types", input.ident);
        cx.error(&input.generics.params, message);
    }
}

/// F01, F02: a field's bits are the register's, and its own.
fn place_of(cx: &Ctxt, width: Option<&Width>, field: &Field<'_>, earlier: &[Field<'_>]) {
    let Some(bits) = &field.attr.bits else { return };
    if let Some(width) = width
        && !rule(cx, &bits.at, layout::field_inside(&field.name, bits.first, bits.last, width.bits))
    {
        return;
    }
    for other in earlier {
        let Some(taken) = &other.attr.bits else { continue };
        let disjoint = layout::fields_disjoint(
            &field.name,
            (bits.first, bits.last),
            &other.name,
            (taken.first, taken.last),
        );
        if !rule(cx, &bits.at, disjoint) {
            cx.error(&taken.at, format_args!("field `{}` is placed here", other.name));
            return;
        }
    }
}

/// What is certainly no field. Other names are left to `FieldValue`.
fn is_possible(cx: &Ctxt, field: &Field<'_>) -> bool {
    const WRONG: &[&str] = &[
        "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u128", "usize",
        "String",
    ];
    let possible = match peel(field.ty) {
        Type::Path(_) => last_ident(field.ty).is_none_or(|ty| !WRONG.contains(&&*ty.to_string())),
        Type::Macro(_) => true,
        _ => false,
    };
    if !possible {
        let ty = field.ty.to_token_stream().to_string().replace("& ", "&");
        let message = format!(
            "`{ty}` cannot be a field of a register; use bool, u8, u16, u32 or u64, or a \
             `#[derive(Register)]` enum"
        );
        cx.error(field.ty, message);
    }
    possible
}

/// F04, V01: what the macro knows of a field's type and its reset value.
fn type_of(cx: &Ctxt, field: &Field<'_>) {
    let (Some(bits), Some(values)) = (&field.attr.bits, field.values()) else { return };
    let ty = field.ty.to_token_stream().to_string();
    let fits = rule(cx, &bits.at, layout::field_type(&field.name, field.width(), &ty, &values));
    if let (true, Some(reset)) = (fits, &field.attr.reset)
        && let Some(known) = reset.value.known
    {
        let check = layout::field_reset(&field.name, field.width(), &ty, &values, known);
        rule(cx, &reset.value, check);
    }
    if let Some(reject) = &field.attr.reject {
        let message = format!("`{ty}` has no reserved values; `reserved` is for enums");
        cx.error(&reject.key, message);
    }
}

/// A07
fn pulse(cx: &Ctxt, field: &Field<'_>) {
    let Some(pulse) = &field.attr.pulse else { return };
    let (name, width) = (&field.name, field.width());
    if width != 1 {
        let message = format!(
            "a singlepulse field is one bit; `{name}` has {width}: give each bit a field of its own"
        );
        cx.error(pulse, message);
    }
    if let Some(reset) = &field.attr.reset
        && reset.value.known != Some(0)
    {
        cx.error(&reset.value, format_args!("singlepulse field `{name}` must reset to 0"));
    }
    if let Some(policy) = &field.attr.policy
        && !policy.value.is_writable()
    {
        let key = &policy.key;
        cx.error(
            pulse,
            format_args!("singlepulse field `{name}` must be writable; `{key}` is not"),
        );
    }
}
