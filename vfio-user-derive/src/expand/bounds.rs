//! Lengths of collections, and of collections in them, as `#[migrate(max_len = ..)]` bounds them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

use super::tokens::{int, local};
use crate::ast::{Device, PrivateField, peel};
use crate::valid::state_type::{depth, inner, is_boxed, is_collection, is_map, is_option};

/// Generates comparisons of the lengths in a value of the field, given a reference to it. `by` is
/// the reader or the writer, and `entry` the declaration of the field.
pub(super) fn checks(
    device: &Device<'_>,
    field: &PrivateField<'_>,
    value: &TokenStream,
    (by, entry): (&Ident, &TokenStream),
) -> Option<TokenStream> {
    if field.memory.is_some() {
        // An array has its length by its type.
        let is_array = matches!(peel(field.ty), Type::Array(_));
        return (!is_array).then(|| quote!(#by.check_elements(#entry, (#value).len())?;));
    }
    let given = field.state.max_len.as_ref()?;
    let at = given.key.span();
    let levels = given.value.iter().enumerate().map(|(level, max)| {
        // The outermost length is part of the declaration.
        if level == 0 {
            return Level { method: quote_spanned!(at=> check_len), max: None };
        }
        let max = int(device, max);
        Level { method: quote_spanned!(at=> check_inner_len), max: Some(quote!(, #max)) }
    });
    let walk = Walk { by, entry, at, levels: levels.collect() };
    if depth(field.ty) > 0 {
        return Some(walk.check(field.ty, value, 0, 0));
    }
    // Of a type of the author's own only that has a length.
    Some(walk.length(value, 0))
}

struct Walk<'w> {
    by: &'w Ident,
    entry: &'w TokenStream,
    /// Where a type without a length is a mistake.
    at: Span,
    levels: Vec<Level>,
}

/// How the length of a collection is compared.
struct Level {
    method: TokenStream,
    max: Option<TokenStream>,
}

impl Walk<'_> {
    /// A value of type `ty`, in `level` collections and in as many loops as `nested` says.
    fn check(&self, ty: &Type, value: &TokenStream, level: usize, nested: usize) -> TokenStream {
        if depth(ty) == 0 {
            return TokenStream::new();
        }
        let local = |name: &str| local(&format!("{name}_{nested}"));
        let (item, key) = (local("item"), local("key"));
        let parts = inner(ty);
        if is_collection(ty) {
            let length = self.length(value, level);
            let within =
                |part: &Type, value: TokenStream| self.check(part, &value, level + 1, nested + 1);
            let (pattern, checks) = match parts[..] {
                [first, second, ..] if is_map(ty) => {
                    let checks = [within(first, quote!(#key)), within(second, quote!(#item))];
                    (quote!((#key, #item)), quote!(#(#checks)*))
                }
                [part, ..] => (quote!(#item), within(part, quote!(#item))),
                [] => (quote!(_), TokenStream::new()),
            };
            let elements =
                (!checks.is_empty()).then(|| quote!(for #pattern in (#value).iter() { #checks }));
            return quote!(#length #elements);
        }
        let within = |part: &Type, value: TokenStream| self.check(part, &value, level, nested + 1);
        match (peel(ty), &parts[..]) {
            (Type::Tuple(_), parts) => {
                let places = (0..).map(syn::Index::from);
                let checks =
                    places.zip(parts).map(|(place, part)| within(part, quote!(&(#value).#place)));
                quote!(#(#checks)*)
            }
            (Type::Array(_), [part]) => {
                let checks = within(part, quote!(#item));
                quote!(for #item in (#value).iter() { #checks })
            }
            (_, [part]) if is_option(ty) => {
                let checks = within(part, quote!(#item));
                quote!(if let ::core::option::Option::Some(#item) = (#value).as_ref() { #checks })
            }
            (_, [part]) if is_boxed(ty) => within(part, quote!(&**(#value))),
            // A type that the macro does not see through has been reported.
            _ => TokenStream::new(),
        }
    }

    fn length(&self, value: &TokenStream, level: usize) -> TokenStream {
        let Some(Level { method, max }) = self.levels.get(level) else { return TokenStream::new() };
        let (by, entry) = (self.by, self.entry);
        let len = format_ident!("len", span = self.at);
        quote!(#by.#method(#entry, (#value).#len() #max)?;)
    }
}
