//! Helpers for quoting that all of the expansion uses.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::ast::{BlockField, Device, Register};
use crate::attr::Int;
use crate::literal;

/// Wraps the items in one block, so that their names do not conflict with others. The names are
/// reserved ones as well, because the author's expressions are in the block too.
pub(crate) fn in_anonymous_const(library: &TokenStream, items: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use #library::__private as __vfio_user;
            #items
        };
    }
}

/// A local with hygiene: an author's expression may say the same name. The name is a reserved one,
/// because hygiene is for locals alone: a constant in scope would be a pattern.
pub(super) fn local(name: &str) -> Ident {
    Ident::new(&format!("__{name}"), Span::mixed_site())
}

/// Converts an integer of any type into a `u64`.
pub(super) fn int(device: &Device<'_>, int: &Int) -> TokenStream {
    int_of(device.ident, int)
}

/// Does the same for a struct or an enum called `ident`.
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
    let int = quote_spanned!(first=> __vfio_user::int);
    let value = in_parentheses(expr, last);
    // What is no integer has no such method, and no type behind it: the cast is no second mistake.
    let arguments = quote_spanned!(first=> __vfio_user::Constant #value.integer() as i128);
    let arguments = in_parentheses(&arguments, last);
    quote!(#int #arguments)
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
pub(super) fn int_of_register(
    device: &Device<'_>,
    register: &Register<'_>,
    given: &Int,
) -> TokenStream {
    let value = int(device, given);
    if !literal::is_untyped(&given.expr) || !literal::inverts(&given.expr) {
        return value;
    }
    let ty = register.ty.element;
    if register.ty.width().is_some() {
        let local = local("value");
        return quote!({ let #local: #ty = #value; #local as u64 });
    }
    let implementation = register_value(register);
    quote!((#value) & __vfio_user::width_mask(#implementation::WIDTH as u64))
}

/// The bits of a value of a register's type.
pub(super) fn to_bits(register: &Register<'_>, value: &TokenStream) -> TokenStream {
    if register.ty.width().is_some() {
        return quote!(__vfio_user::bits(#value));
    }
    let implementation = register_value(register);
    quote!(#implementation::to_bits(#value))
}

/// A value of a register's type from its bits.
pub(super) fn from_bits(register: &Register<'_>, bits: &Ident) -> TokenStream {
    if register.ty.width().is_some() {
        return quote!(__vfio_user::value(#bits));
    }
    let implementation = register_value(register);
    quote!(#implementation::from_bits(#bits))
}

/// The trait of a type that may not implement it. The compiler reports equal errors once, so every
/// use of the trait takes this form.
pub(super) fn register_value(register: &Register<'_>) -> TokenStream {
    let ty = register.ty.element;
    quote!(<#ty as __vfio_user::RegisterValue>)
}

/// The trait of a block's type, in one form like that of registers.
pub(super) fn register_block(block: &BlockField<'_>) -> TokenStream {
    let ty = block.ty;
    quote!(<#ty as __vfio_user::RegisterBlock>)
}

/// `Self` means the struct, but constants outside of the impl have none.
pub(super) fn without_self(ident: &Ident, tokens: TokenStream) -> TokenStream {
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

/// A check whose failure underlines the whole of `at`. The span of an expression is that of its
/// first token only, so the last one is given to the closing parenthesis of the call.
pub(crate) fn enforce(at: &impl ToTokens, check: TokenStream) -> TokenStream {
    let spans: Vec<_> = at.to_token_stream().into_iter().map(|token| token.span()).collect();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return TokenStream::new();
    };
    let function = quote_spanned!(*first=> __vfio_user::enforce);
    let mut arguments = Group::new(Delimiter::Parenthesis, check);
    arguments.set_span(*last);
    quote!(const _: () = #function #arguments;)
}

/// `.with_doc(..)`, if the author says anything.
pub(crate) fn doc(text: &str) -> Option<TokenStream> {
    (!text.is_empty()).then(|| quote!(.with_doc(#text)))
}

/// How many an array has.
pub(super) fn elements(device: &Device<'_>, length: &Int) -> TokenStream {
    let count = without_self(device.ident, quote!(#length));
    if literal::is_untyped(&length.expr) {
        return count;
    }
    // As the length of an array, as it is in the field: the compiler reports a wrong type once.
    quote!(__vfio_user::count([(); #count].len()))
}

/// The named fields of a register's type.
pub(super) fn fields(register: &Register<'_>) -> TokenStream {
    let implementation = register_value(register);
    quote!(#implementation::FIELDS)
}
