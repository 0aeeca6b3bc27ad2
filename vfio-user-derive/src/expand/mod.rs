//! Quoting. What arrives here has been found to be right.

mod access;
mod block;
mod bounds;
mod capability;
mod checks;
mod descriptor;
mod fallback;
mod hooks;
mod intr;
mod state;
mod timers;
mod warnings;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Generics, parse_quote_spanned};

pub(crate) use block::derive as derive_block;
pub(crate) use checks::enforce;
pub(crate) use descriptor::doc;

use crate::ast::{BlockField, Device, Register};
use crate::attr::Int;
use crate::ctxt::Ctxt;
use crate::{literal, valid};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::new();
    let device = Device::read(&cx, input);
    if let Some(device) = &device {
        valid::validate(&cx, input, device);
    }
    match (cx.finish(), device) {
        (Ok(()), Some(device)) if !device.is_broken => expand(&device),
        (Ok(()), _) => fallback::expand(input, &TokenStream::new()),
        (Err(error), _) => fallback::expand(input, &error.to_compile_error()),
    }
}

fn expand(device: &Device<'_>) -> TokenStream {
    let ident = device.ident;
    let generics = with_device_bound(device);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let data = descriptor::expand(device);
    let checks = checks::expand(device);
    let warnings = warnings::expand(device);
    let load = access::load(device);
    let store = access::store(device);
    let hook = hooks::expand(device);
    let layout = state::layout(device);
    let state = state::device(device);
    let timers = timers::expand(device);
    in_anonymous_const(
        &device.library,
        &quote! {
            #layout
            #data
            #checks
            #warnings

            #[automatically_derived]
            impl #impl_generics __vfio_user::PciDevice for #ident #ty_generics #where_clause {
                const DESCRIPTOR: __vfio_user::Descriptor = __DESCRIPTOR;
                #load
                #store
                #hook
                #state
                #timers
            }
        },
    )
}

/// An author who forgets `impl Device` is told once, at the struct, and not for every mention of a
/// `Cx` of it.
fn with_device_bound(device: &Device<'_>) -> Generics {
    let ident = device.ident;
    let (_, ty_generics, _) = device.generics.split_for_impl();
    let at = Span::call_site().located_at(ident.span());
    let mut name = ident.clone();
    name.set_span(at);
    let bound = parse_quote_spanned!(at=> #name #ty_generics: __vfio_user::Device);
    let mut generics = device.generics.clone();
    generics.make_where_clause().predicates.push(bound);
    state::with_bounds(device, &mut generics);
    generics
}

/// Everything is in one block, so that its names are in nobody's way. They are reserved names all
/// the same, because the author's expressions are in the block too.
pub(crate) fn in_anonymous_const(library: &TokenStream, items: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use #library::__private as __vfio_user;
            #items
        };
    }
}

/// An integer of any type, where a `u64` is wanted.
fn int(device: &Device<'_>, int: &Int) -> TokenStream {
    int_of(device.ident, int)
}

/// The same, for a struct or an enum called `ident`.
pub(crate) fn int_of(ident: &Ident, int: &Int) -> TokenStream {
    let expr = without_self(ident, int.to_token_stream());
    if literal::is_untyped(&int.expr) { expr } else { typed(&expr) }
}

/// A `u64` from an integer of any type, which is looked at: `as` makes one of everything. No local
/// holds it, or constants could not refer to what it is part of.
fn typed(expr: &TokenStream) -> TokenStream {
    let spans: Vec<_> = expr.clone().into_iter().map(|token| token.span()).collect();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return expr.clone() };
    // Lints pass over what a macro wrote, which is shown at the author's place all the same.
    let [first, last] = [first, last].map(|span| Span::mixed_site().located_at(*span));
    let function = quote_spanned!(first=> __vfio_user::int);
    let value = in_parentheses(expr, last);
    let arguments = quote_spanned!(first=> &#value, #value as i128);
    let arguments = in_parentheses(&arguments, last);
    quote!(#function #arguments)
}

fn in_parentheses(tokens: &TokenStream, at: Span) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, tokens.clone());
    group.set_span(at);
    group
}

/// Tokens that keep their meaning but are shown somewhere else.
pub(crate) fn located_at(at: Span, tokens: TokenStream) -> TokenStream {
    let relocated = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let inner = located_at(at, group.stream());
            token = TokenTree::Group(Group::new(group.delimiter(), inner));
        }
        token.set_span(token.span().located_at(at));
        token
    });
    relocated.collect()
}

/// An integer as wide as a register: `!0xf` has as many ones.
fn int_of_register(device: &Device<'_>, register: &Register<'_>, given: &Int) -> TokenStream {
    let value = int(device, given);
    if !literal::is_untyped(&given.expr) || !literal::inverts(&given.expr) {
        return value;
    }
    let ty = register.ty.element;
    if register.ty.width().is_some() {
        let local = Ident::new("value", Span::mixed_site());
        return quote!({ let #local: #ty = #value; #local as u64 });
    }
    let implementation = register_value(register);
    quote!((#value) & __vfio_user::width_mask(#implementation::WIDTH as u64))
}

/// The bits of a value of a register's type.
fn to_bits(register: &Register<'_>, value: &TokenStream) -> TokenStream {
    if register.ty.width().is_some() {
        return quote!(__vfio_user::bits(#value));
    }
    let implementation = register_value(register);
    quote!(#implementation::to_bits(#value))
}

/// A value of a register's type from its bits.
fn from_bits(register: &Register<'_>, bits: &Ident) -> TokenStream {
    if register.ty.width().is_some() {
        return quote!(__vfio_user::value(#bits));
    }
    let implementation = register_value(register);
    quote!(#implementation::from_bits(#bits))
}

/// The trait of a type that may not implement it. The compiler tells equal errors once, so every
/// use of the trait takes this form.
fn register_value(register: &Register<'_>) -> TokenStream {
    let ty = register.ty.element;
    quote!(<#ty as __vfio_user::RegisterValue>)
}

/// The trait of a block's type, in one form like that of registers.
fn register_block(block: &BlockField<'_>) -> TokenStream {
    let ty = block.ty;
    quote!(<#ty as __vfio_user::RegisterBlock>)
}

/// `Self` means the struct, but constants outside of the impl have none.
fn without_self(ident: &Ident, tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(word) if word == "Self" => {
                let mut named = ident.clone();
                named.set_span(word.span());
                TokenTree::Ident(named)
            }
            TokenTree::Group(group) => {
                let inner = without_self(ident, group.stream());
                let mut renamed = Group::new(group.delimiter(), inner);
                renamed.set_span(group.span());
                TokenTree::Group(renamed)
            }
            token => token,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn the_expansion_of_a_trivial_device_is_as_recorded() {
        let expanded = derive(&parse_quote! {
            /// The smallest device that has one of everything.
            #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
            #[bar(0: mem32, size = 0x1000)]
            #[irq(msix = 1)]
            struct Trivial {
                /// "triv", in ASCII.
                #[reg(0x00, ro, reset = 0x7472_6976)]
                id: Virtual<u32>,
                /// Holds what is written.
                ///
                /// Nothing comes of it.
                #[reg(0x04)]
                scratch: u32,
                #[reg(0x08, w1c)]
                irq_status: u32,
                #[reg(0x0c, wo, write_with = Self::raise)]
                raise: Virtual<u32>,
                counter: u64,
            }
        });
        crate::golden::compare("trivial", &expanded);
    }
}
