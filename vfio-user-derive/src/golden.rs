//! Expansions as files that a person can read.

use std::fs;

use proc_macro2::TokenStream;
use syn::parse_quote;

/// Compares an expansion with the one recorded under `name`.
pub(crate) fn compare(name: &str, expanded: &TokenStream) {
    let expanded = prettyplease::unparse(&parse_quote!(#expanded));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui-tests/expand");
    let path = format!("{folder}/{name}.expanded.rs");
    if std::env::var_os("VFIO_USER_BLESS").is_some() {
        fs::write(&path, &expanded).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(path).expect("the golden file is there");
    assert_eq!(expanded, golden, "run with VFIO_USER_BLESS=1 and read the difference");
}
