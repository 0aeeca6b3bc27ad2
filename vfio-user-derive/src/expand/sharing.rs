//! Generates the declarations and the checks of registers that share bytes.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::tokens::{enforce, fields, int};
use crate::ast::{BlockField, Device, Register};
use crate::attr::{Condition, RegisterPath};
use crate::layout::CONFIG;
use crate::valid::sharing::{Known, has_known_places};

/// Generates what a register declares.
pub(super) fn register(device: &Device<'_>, register: &Register<'_>) -> TokenStream {
    let sharing = &register.reg.sharing;
    let overlay = sharing.overlay.as_ref().map(|_| quote!(.with_overlay()));
    let condition = sharing.condition.as_ref().and_then(|condition| when(device, condition));
    let sizes = sharing.sizes.as_ref().map(|sizes| {
        let bits = Literal::u8_unsuffixed(sizes.bits);
        quote!(.with_access_sizes(#bits))
    });
    let select = sharing.select.as_ref().and_then(|given| select(device, &given.value));
    quote!(#overlay #condition #sizes #select)
}

fn when(device: &Device<'_>, Condition { path, values }: &Condition) -> Option<TokenStream> {
    let bits = bits(device, path)?;
    let values = values.iter().map(|range| {
        let (first, last) = (int(device, &range.first), int(device, &range.last));
        quote!((#first, #last))
    });
    Some(quote!(.with_condition(#bits, &[#(#values),*])))
}

/// Generates the selector of an array or of a block.
pub(super) fn select(device: &Device<'_>, path: &RegisterPath) -> Option<TokenStream> {
    let bits = bits(device, path)?;
    Some(quote!(.with_selector(#bits)))
}

pub(super) fn bits(device: &Device<'_>, path: &RegisterPath) -> Option<TokenStream> {
    let (register_index, register) = device.register(&path.register)?;
    let index = Literal::usize_unsuffixed(register_index);
    let bits = match &path.field {
        None => quote!(register(#index)),
        Some(field) => {
            let (fields, field) = (fields(register), field.to_string());
            quote!(field(#index, #fields, #field))
        }
    };
    Some(quote!(__vfio_user::RegisterBits::#bits))
}

/// Generates the checks of a register that the macro cannot decide.
pub(super) fn checks(
    device: &Device<'_>,
    register: &Register<'_>,
    index: &Literal,
) -> Vec<TokenStream> {
    let sharing = &register.reg.sharing;
    let mut checks = Vec::new();
    if let Some(overlay) = sharing.overlay.as_ref().filter(|_| !is_overlay_known(device, register))
    {
        checks.push(enforce(
            overlay,
            quote!(__vfio_user::check_overlay(__CHECKED, #index, __CROWDED)),
        ));
    }
    if let Some(condition) = &sharing.condition {
        checks.extend(condition_checks(device, condition, index));
    }
    if let Some(select) = &sharing.select {
        let name = select.value.name();
        let width = quote!(__vfio_user::check_selector_width(__CHECKED, #index, #name));
        let count = register.known_count();
        checks.extend(selector_checks(device, &select.value, count, &width));
    }
    checks
}

/// Whether the macro has checked that an overlaid register has one direction, and is not alone.
pub(super) fn is_overlay_known(device: &Device<'_>, register: &Register<'_>) -> bool {
    register.reg.sharing.overlay.is_none()
        || (Known::of(register).is_certain && has_known_places(device))
}

fn condition_checks(
    device: &Device<'_>,
    Condition { path, values }: &Condition,
    index: &Literal,
) -> Vec<TokenStream> {
    let Some((_, other)) = device.register(&path.register) else { return Vec::new() };
    let name = path.name();
    let mut checks: Vec<_> = path
        .field
        .iter()
        .map(|field| {
            let (fields, field) = (fields(other), field.to_string());
            enforce(&path.expr, quote!(__vfio_user::condition_field(#name, #fields, #field)))
        })
        .collect();
    let is_mask_known = path.field.is_none() && other.known_mask().is_some();
    for (range_index, range) in values.iter().enumerate() {
        if !is_mask_known || range.known().is_none() {
            let range_index = Literal::usize_unsuffixed(range_index);
            let check =
                quote!(__vfio_user::check_condition_values(__CHECKED, #index, #range_index, #name));
            checks.push(enforce(&range.pattern, check));
        }
    }
    checks
}

/// Generates the checks of the selector of a block.
pub(super) fn block_checks(
    device: &Device<'_>,
    field: &BlockField<'_>,
    index: &Literal,
) -> Vec<TokenStream> {
    let check = quote!(__vfio_user::check_block_selector(__CHECKED, #index));
    let Some(select) = &field.block.select else {
        let in_config = device.bar_or_default(field.block.bar.as_ref()) == Some(CONFIG);
        return in_config.then(|| enforce(field.ty, check)).into_iter().collect();
    };
    let name = select.value.name();
    let width = quote!(__vfio_user::check_block_selector_width(__CHECKED, #index, #name));
    let count = field.length.as_ref().and_then(|length| length.known);
    let mut checks = selector_checks(device, &select.value, count, &width);
    checks.push(enforce(&select.value.expr, check));
    checks
}

fn selector_checks(
    device: &Device<'_>,
    path: &RegisterPath,
    count: Option<u64>,
    width: &TokenStream,
) -> Vec<TokenStream> {
    let Some((_, other)) = device.register(&path.register) else { return Vec::new() };
    let name = path.name();
    let mut checks: Vec<_> = path
        .field
        .iter()
        .map(|field| {
            let (fields, field) = (fields(other), field.to_string());
            enforce(&path.expr, quote!(__vfio_user::selector_field(#name, #fields, #field)))
        })
        .collect();
    if count.is_none() || path.field.is_some() || other.ty.width().is_none() {
        checks.push(enforce(&path.expr, width.clone()));
    }
    checks
}
