//! The modules of `vfio-user-derive`: functions of a crate of macros can be called by the compiler
//! alone.

#![forbid(unsafe_code)]

#[path = "../../../vfio-user-derive/src/ast.rs"]
mod ast;
#[path = "../../../vfio-user-derive/src/attr/mod.rs"]
mod attr;
#[path = "../../../vfio-user-derive/src/bits/mod.rs"]
mod bits;
#[path = "../../../vfio-user-derive/src/ctxt.rs"]
mod ctxt;
#[path = "../../../vfio-user-derive/src/driver.rs"]
mod driver;
#[path = "../../../vfio-user-derive/src/mutation/edit.rs"]
mod edit;
#[path = "../../../vfio-user-derive/src/expand/mod.rs"]
mod expand;
#[cfg(test)]
#[path = "../../../vfio-user-derive/src/golden.rs"]
mod golden;
#[path = "../../../vfio-user-derive/src/literal.rs"]
mod literal;
#[path = "../../../vfio-user-derive/src/storage.rs"]
mod storage;
#[path = "../../../vfio-user-derive/src/suggest.rs"]
mod suggest;
#[path = "../../../vfio-user-derive/src/valid/mod.rs"]
mod valid;

use arbitrary::{Arbitrary, Unstructured};
use proc_macro2::TokenStream;
use syn::DeriveInput;
use vfio_user_layout::{self as layout, policy};

use edit::{BLOCK, DEVICE, Derive, FIELD, REGISTER, REPLACEMENTS, VALUES};

/// A declaration, by the number of one that is given or as text, and changes of its tokens.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    declaration: u8,
    edits: Vec<Edit>,
    text: &'a str,
}

#[derive(Arbitrary, Debug)]
enum Edit {
    /// Replaces a token by one that is given.
    Replace { place: u16, by: u8 },
    /// Replaces a token by a number.
    Number { place: u16, value: u64 },
    /// Replaces a token by the text.
    Text { place: u16 },
}

/// The most edits: each copies all tokens.
const MOST_EDITS: usize = 8;

/// Expands a declaration, which is no panic, and gives tokens that parse as Rust.
///
/// # Panics
///
/// If it is one, or they do not.
pub fn run(input: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let (declaration, derive) = declaration(&input);
    let Ok(mut tokens) = declaration.parse::<TokenStream>() else { return };
    for edit in input.edits.iter().take(MOST_EDITS) {
        if let Some(changed) = apply(&tokens, edit, input.text) {
            tokens = changed;
        }
    }
    if let Ok(parsed) = syn::parse2::<DeriveInput>(tokens)
        && edit::has_names(&parsed)
    {
        edit::check(&parsed, derive, "an input");
    }
}

fn declaration<'a>(input: &Input<'a>) -> (&'a str, Derive) {
    match input.declaration % 8 {
        0 | 1 => (DEVICE, expand::derive),
        2 => (BLOCK, expand::derive_block),
        3 => (REGISTER, bits::derive),
        4 => (VALUES, bits::derive),
        5 => (FIELD, bits::derive),
        6 => (input.text, expand::derive),
        _ => (input.text, bits::derive),
    }
}

fn apply(tokens: &TokenStream, edit: &Edit, text: &str) -> Option<TokenStream> {
    let (place, by) = match edit {
        Edit::Replace { place, by } => {
            let by = REPLACEMENTS[usize::from(*by) % REPLACEMENTS.len()];
            (*place, by.parse().ok()?)
        }
        Edit::Number { place, value } => (*place, format!("{value:#x}").parse().ok()?),
        Edit::Text { place } => (*place, text.parse().ok()?),
    };
    let count = edit::tokens_in(tokens).max(1);
    Some(edit::replaced(tokens, &mut (usize::from(place) % count), &by))
}
