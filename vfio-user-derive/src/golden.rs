//! Readable recordings of expansions.

use std::fs;

use proc_macro2::TokenStream;
use syn::parse_quote;

/// Compares an expansion with the one recorded under `name`.
pub(crate) fn compare(name: &str, expanded: &TokenStream) {
    let expanded = prettyplease::unparse(&parse_quote!(#expanded));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui-tests/expand");
    let path = format!("{folder}/{name}.expanded.rs");
    if std::env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &expanded).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(path).expect("the golden file is there");
    assert_eq!(expanded, golden, "run with VFIO_USER_BLESS=1 and read the difference");
}

/// Checks that `docs/registers.md` has every word of an attribute in a table.
pub(crate) fn assert_documented(words: &[&str]) {
    let page = include_str!("../../docs/registers.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    for word in words {
        let forms = [
            format!("`{word}"),
            format!("{word} ="),
            format!("{word}("),
            format!(", {word}"),
            format!("({word}"),
        ];
        let is_there = rows.iter().any(|row| forms.iter().any(|form| row.contains(form)));
        assert!(is_there, "`{word}` is in no table of docs/registers.md");
    }
}
