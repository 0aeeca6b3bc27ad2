//! Every token of a corpus of declarations, replaced by others: what comes of it is an expansion or
//! an error, in Rust that parses, and never a panic.

mod edit;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use self::edit::{BLOCK, DEVICE, Derive, FIELD, REGISTER, REPLACEMENTS, VALUES};
use self::edit::{check, has_names, replaced, tokens_in};
use crate::{bits, expand};

#[test]
fn a_device_of_any_tokens_is_expanded_or_refused() {
    mutate(DEVICE, expand::derive);
}

#[test]
fn a_block_of_any_tokens_is_expanded_or_refused() {
    mutate(BLOCK, expand::derive_block);
}

#[test]
fn a_register_of_any_tokens_is_expanded_or_refused() {
    mutate(REGISTER, bits::derive);
    mutate(VALUES, bits::derive);
    mutate(FIELD, bits::derive);
}

/// The declarations that the compiler's own errors are about, too.
#[test]
fn what_the_compiler_refuses_is_no_second_mistake() {
    for text in ["struct S { #[reg(0)] a: u32, #[reg(4)] a: u64 }", "struct S { #[reg(0)] _: u32 }"]
    {
        let device = format!("#[pci(vendor = 1, device = 2)] #[bar(0: mem32, size = 16)] {text}");
        for (text, derive) in [(&*device, expand::derive as Derive), (text, expand::derive_block)] {
            let Ok(input) = syn::parse_str::<DeriveInput>(text) else { continue };
            let expanded = derive(&input).to_string();
            assert!(!expanded.contains("compile_error"), "{expanded}");
        }
    }
}

/// Replaces each token of the attributes and types of a declaration by each of the others.
fn mutate(declaration: &str, derive: Derive) {
    let tokens: TokenStream = declaration.parse().expect("the corpus is made of tokens");
    let intact = syn::parse2(tokens.clone()).expect("the corpus is a struct or an enum");
    let errors = errors(&derive(&intact));
    assert!(errors.is_empty(), "the corpus is not refused: {errors:?}");
    let replacements: Vec<TokenStream> =
        REPLACEMENTS.iter().map(|text| text.parse().expect("a replacement is tokens")).collect();
    for place in 0..tokens_in(&tokens) {
        for replacement in &replacements {
            let mutated = replaced(&tokens, &mut { place }, replacement);
            if let Ok(input) = syn::parse2(mutated)
                && has_names(&input)
            {
                check(&input, derive, &format!("`{replacement}` at token {place}"));
            }
        }
    }
}

/// The texts of `compile_error!`.
fn errors(expanded: &TokenStream) -> Vec<String> {
    let text = expanded.to_string();
    let errors = text.split("compile_error ! {").skip(1);
    errors.map(|error| error.split('}').next().unwrap_or_default().to_owned()).collect()
}
