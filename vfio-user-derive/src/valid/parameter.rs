//! Parameters of a struct: its layout is one for all of them.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, DeriveInput, GenericParam};

use crate::ast::Device;
use crate::ctxt::Ctxt;
use crate::layout::HookKind;

/// Attributes whose values are constants outside of the impl, where no parameter is in scope.
const CONSTANT: [&str; 8] =
    ["pci", "bar", "irq", "capability", "reg", "block", "memory", "unmodelled"];

pub(super) fn validate(cx: &Ctxt, input: &DeriveInput, device: &Device<'_>) {
    let names: Vec<_> = input.generics.params.iter().filter_map(name).collect();
    if names.is_empty() {
        return;
    }
    let mentions = Mentions { cx, names };
    let fields = match &input.data {
        syn::Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        _ => Vec::new(),
    };
    for attr in input.attrs.iter().chain(fields) {
        mentions.in_attribute(attr);
    }
    let lengths = device.registers.iter().map(|register| &register.ty.length);
    let lengths = lengths.chain(device.blocks.iter().map(|block| &block.length));
    for length in lengths.chain(device.timers.iter().map(|timer| &timer.length)).flatten() {
        mentions.in_tokens(length.to_token_stream());
    }
    let max_lens = device.private.iter().filter_map(|field| field.state.max_len.as_ref());
    for max_len in max_lens.flat_map(|given| &given.value) {
        mentions.in_tokens(max_len.to_token_stream());
    }
}

fn name(param: &GenericParam) -> Option<&Ident> {
    match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    }
}

struct Mentions<'c> {
    cx: &'c Ctxt,
    names: Vec<&'c Ident>,
}

impl Mentions<'_> {
    fn in_attribute(&self, attr: &Attribute) {
        let syn::Meta::List(list) = &attr.meta else { return };
        if !CONSTANT.iter().any(|name| attr.path().is_ident(name)) {
            return;
        }
        let tokens: Vec<_> = list.tokens.clone().into_iter().collect();
        let is_comma =
            |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        for item in tokens.split(is_comma) {
            let is_hook = matches!(item.first(), Some(TokenTree::Ident(key)) if HookKind::from_name(&key.to_string()).is_some());
            if !is_hook {
                self.in_tokens(quote!(#(#item)*));
            }
        }
    }

    /// Reports every parameter, and `Self`, which has some.
    fn in_tokens(&self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) if self.names.contains(&&word) => self.cx.error(
                    &word,
                    format_args!(
                        "`{word}` is a parameter of the struct; a layout has the same numbers for \
                         all of them"
                    ),
                ),
                TokenTree::Ident(word) if word == "Self" => self.cx.error(
                    &word,
                    "`Self` has parameters, which a layout does not; name a constant outside of \
                     the `impl`",
                ),
                TokenTree::Group(group) => self.in_tokens(group.stream()),
                _ => {}
            }
        }
    }
}
