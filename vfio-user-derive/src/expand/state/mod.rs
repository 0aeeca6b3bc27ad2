//! Generates the migration of private fields and blocks as data, with thin access to the fields.

mod blocks;
mod columns;
mod fields;
mod value;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Generics, Type, TypeArray, parse_quote};

use super::memory;
use super::tokens::{int, local, without_self};
use crate::ast::{Device, PrivateField, peel};
use crate::attr::FieldState;
use crate::valid::state_type::last_segment;
pub(super) use columns::expand as block;
use value::wire_type;

/// Returns the private fields that migrate, each with its index among them.
fn migrating<'d, 'a>(
    device: &'d Device<'a>,
) -> impl Iterator<Item = (usize, &'d PrivateField<'a>)> {
    device.private.iter().filter(|field| field.state.skip.is_none()).enumerate()
}

/// `const __STATE: ..`, if the struct migrates.
pub(super) fn layout(device: &Device<'_>) -> Option<TokenStream> {
    if !device.migrates() {
        return None;
    }
    let version = Literal::u64_unsuffixed(device.state.version());
    let min = Literal::u64_unsuffixed(device.state.min());
    let fields = migrating(device).map(|(_, field)| {
        let with = field.state.with.as_ref().map(|given| given.value.to_token_stream());
        let with = with.map(|with| format!(" with {}", tight(&with.to_string())));
        let (name, ty) = (&field.name, type_text(field.ty) + &with.unwrap_or_default());
        let since = field.state.since().map(|since| {
            let since = Literal::u64_unsuffixed(since);
            quote!(.with_since(#since))
        });
        let default = field.state.default.as_ref().map(|given| {
            let text = tight(&given.value.to_token_stream().to_string());
            quote!(.with_default(#text))
        });
        let old = field.state.old_names();
        let renamed = (!old.is_empty()).then(|| quote!(.with_old_names(&[#(#old),*])));
        let max_len = field.state.max_len.as_ref().map(|given| {
            let mut lens = given.value.iter().map(|len| int(device, len));
            let (len, inner): (_, Vec<_>) = (lens.next(), lens.collect());
            let inner = (!inner.is_empty()).then(|| quote!(.with_inner_max_len(&[#(#inner),*])));
            quote!(.with_max_len(#len) #inner)
        });
        let capacity = capacity(device, field);
        let elements = elements(device, field).map(|count| quote!(.with_elements(#count)));
        let grown = growth(&field.state);
        quote! {
            __vfio_user::StateField::new(#name, #ty)
                #since #default #renamed #max_len #capacity #elements #grown
        }
    });
    let names = &device.state.removed;
    let removed = (!names.is_empty()).then(|| quote!(.with_removed(&[#(#names),*])));
    Some(quote! {
        const __STATE: __vfio_user::StateLayout =
            __vfio_user::StateLayout::new(#version, #min, &[#(#fields),*]) #removed;
    })
}

/// Returns the bound of a `Fifo`, or of an array of them, which its type has. The macro knows only
/// the name: another type of that name has no bound.
fn capacity(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    let ty = match peel(field.ty) {
        Type::Array(TypeArray { elem, .. }) => elem,
        ty => ty,
    };
    let is_fifo = last_segment(ty).is_some_and(|last| last.ident == "Fifo");
    let is_known = field.state.with.is_none() && !device.mentions_any_parameter(field.ty);
    (is_fifo && is_known).then(|| {
        quote!(.with_capacity({
            use __vfio_user::Unbounded as _;
            __vfio_user::Capacity::<#ty>::MAX
        }))
    })
}

/// `.with_grown_from(..)` of an array that has grown.
pub(super) fn growth(state: &FieldState) -> Option<TokenStream> {
    let counts = &state.grown_from.as_ref()?.value;
    Some(quote!(.with_grown_from(&[#(#counts),*])))
}

/// Returns the number of elements of an array, where a constant can express it.
fn elements(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    if field.memory.is_some() {
        return memory::size(device, field);
    }
    let Type::Array(TypeArray { len, .. }) = peel(field.ty) else { return None };
    let is_known = field.state.with.is_none() && !device.mentions_any_parameter(field.ty);
    let count = without_self(device.ident, len.to_token_stream());
    is_known.then(|| quote!((#count) as u64))
}

/// `Vec < u8 >` as a person writes it.
fn type_text(ty: &Type) -> String {
    tight(&ty.to_token_stream().to_string())
}

fn tight(text: &str) -> String {
    let tight = text.replace(" < ", "<").replace(" >", ">").replace(" ::", "::");
    tight.replace(":: ", "::").replace(" ,", ",").replace(" ;", ";").replace("< ", "<")
}

/// `save_private` and `load_private` of a device, and those of its blocks.
pub(super) fn device(device: &Device<'_>) -> TokenStream {
    if !device.migrates() {
        return TokenStream::new();
    }
    let private = (migrating(device).count() > 0).then(|| fields::expand(device));
    let convert = device.state.convert.as_ref().map(|given| convert(&given.value));
    let blocks = (!device.blocks.is_empty()).then(|| blocks::of_device(device));
    quote!(#convert #private #blocks)
}

/// A hook with another signature is a mistake at its path.
fn convert(path: &syn::ExprPath) -> TokenStream {
    let (old, hook) = (local("old"), local("hook"));
    let result = quote!(::core::result::Result<(), __vfio_user::StateError>);
    let taken = quote!(&mut __vfio_user::OldState);
    let ty = quote_spanned!(path.span()=> fn(#taken) -> #result);
    quote! {
        const CONVERTS: bool = true;

        fn convert_state(#old: #taken) -> #result {
            let #hook: #ty = #path;
            #hook(#old)
        }
    }
}

/// `state_types`
fn types(device: &Device<'_>) -> TokenStream {
    let types = migrating(device).map(|(_, field)| wire_type(field));
    quote! {
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            ::std::vec![#(#types),*]
        }
    }
}

/// Hygienic names of locals: an author's expression may use the same names.
struct Names {
    out: Ident,
    from: Ident,
    device: Ident,
    value: Ident,
    block: Ident,
    elements: Ident,
    count: Ident,
    column: Ident,
    defaults: Ident,
    part: Ident,
    inner: Ident,
}

impl Names {
    fn new() -> Self {
        Names {
            out: local("out"),
            from: local("from"),
            device: local("device"),
            value: local("value"),
            block: local("block"),
            elements: local("elements"),
            count: local("count"),
            column: local("column"),
            defaults: local("defaults"),
            part: local("part"),
            inner: local("inner"),
        }
    }

    fn local(&self, index: usize) -> Ident {
        format_ident!("{}_{index}", self.value)
    }
}

/// `Some(..)` or `None`.
fn option(value: Option<TokenStream>) -> TokenStream {
    let some = value.map(|value| quote!(::core::option::Option::Some(#value)));
    some.unwrap_or_else(|| quote!(::core::option::Option::None))
}

fn entry(index: usize) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    quote!(&__STATE.fields[#index])
}

/// Adds bounds: types that depend on parameters migrate if the types' values do.
pub(super) fn with_bounds(device: &Device<'_>, generics: &mut Generics) {
    if !device.migrates() {
        return;
    }
    for (_, field) in migrating(device).filter(|(_, field)| field.state.with.is_none()) {
        let ty = field.ty;
        if device.mentions_parameter(ty) {
            let bound = parse_quote!(#ty: __vfio_user::Migrated);
            generics.make_where_clause().predicates.push(bound);
        }
    }
}
