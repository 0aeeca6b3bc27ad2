//! `crate = path`, where the library has another name.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, ExprPath, Meta, Path};

use super::{Given, Item};
use crate::ctxt::Ctxt;

/// The path of the library in generated code, `::vfio_user` by default.
///
/// ```text
/// #[pci(vendor = 1, device = 2, crate = framework::vfio_user)]
///                                       ^^^^^^^^^^^^^^^^^^^^
/// ```
///
/// Read from the tokens, so that a struct whose attributes are wrong has its placeholder all the
/// same.
pub(crate) fn library(attrs: &[Attribute]) -> TokenStream {
    let named = attrs
        .iter()
        .filter(|attr| ["pci", "block", "register"].iter().any(|name| attr.path().is_ident(name)));
    let mut lists = named.filter_map(|attr| match &attr.meta {
        Meta::List(list) => Some(list.tokens.clone()),
        _ => None,
    });
    lists.find_map(path).unwrap_or_else(|| quote!(::vfio_user))
}

fn path(list: TokenStream) -> Option<TokenStream> {
    let tokens: Vec<_> = list.into_iter().collect();
    let items = tokens.split(|token| is_punct(token, ','));
    let path = items.filter_map(|item| match item {
        [TokenTree::Ident(key), equals, path @ ..] if key == "crate" && is_punct(equals, '=') => {
            Some(path)
        }
        _ => None,
    });
    let path: TokenStream = path.into_iter().next()?.iter().cloned().collect();
    let parsed = syn::parse2::<Path>(path.clone()).ok()?;
    is_usable(&parsed).then_some(path)
}

/// The value of the key, where an attribute may have it.
pub(crate) fn read(cx: &Ctxt, item: Item) -> Option<Given<ExprPath>> {
    let given = item.module(cx, "framework::vfio_user")?;
    if given.value.qself.is_none() && is_usable(&given.value.path) {
        return Some(given);
    }
    cx.error(&given.value, "expected the path of the library, such as `framework::vfio_user`");
    None
}

/// Whether a `use` may start with it.
fn is_usable(path: &Path) -> bool {
    let keywords = ["self", "super", "crate"];
    path.segments.iter().enumerate().all(|(index, segment)| {
        let is_keyword = keywords.iter().any(|keyword| segment.ident == keyword);
        let is_at_start = index == 0 && path.leading_colon.is_none();
        segment.arguments.is_none() && segment.ident != "Self" && (is_at_start || !is_keyword)
    })
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn library_of(attr: &Attribute) -> String {
        library(std::slice::from_ref(attr)).to_string()
    }

    #[test]
    fn the_path_is_found_among_other_items() {
        let attr = parse_quote!(#[pci(vendor = 1, crate = a::b, device = f(2, 3))]);
        assert_eq!(library_of(&attr), "a :: b");
        assert_eq!(library_of(&parse_quote!(#[register(crate = crate)])), "crate");
    }

    #[test]
    fn what_is_no_path_is_left_out() {
        for attr in [
            parse_quote!(#[pci(vendor = 1)]),
            parse_quote!(#[block]),
            parse_quote!(#[block(crate)]),
            parse_quote!(#[block(crate = 1)]),
            parse_quote!(#[block(crate = )]),
            parse_quote!(#[bar(crate = a)]),
            parse_quote!(#[pci(crate = Self::a)]),
            parse_quote!(#[pci(crate = a::<u8>)]),
            parse_quote!(#[pci(crate = a::crate)]),
        ] {
            assert_eq!(library_of(&attr), ":: vfio_user");
        }
    }
}
