//! Comments, which are no tokens: they travel through the formatter as attributes.

use std::borrow::Cow;

use proc_macro2::TokenStream;
use quote::quote;

use super::super::text;

const MARK: &str = "#[vfu_comment = ";
/// Where comments are wrapped.
const WIDTH: usize = 100;

/// Returns doc comments, a line each.
pub(super) fn docs(doc: &str) -> TokenStream {
    let lines = doc.lines().map(|line| {
        let line = if line.is_empty() { String::new() } else { format!(" {line}") };
        quote!(#[doc = #line])
    });
    lines.collect()
}

/// Returns notes as attributes.
pub(super) fn notes<'n>(notes: impl IntoIterator<Item = &'n String>) -> TokenStream {
    let notes = notes.into_iter().map(|note| {
        let note = text::plain(note);
        quote!(#[vfu_comment = #note])
    });
    notes.collect()
}

/// Makes comments of the attributes.
pub(super) fn restore(source: &str) -> String {
    let mut restored = String::with_capacity(source.len());
    for line in source.lines() {
        let code = line.trim_start();
        let literal = code.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(']'));
        match literal.and_then(|literal| syn::parse_str::<syn::LitStr>(literal).ok()) {
            Some(note) => wrap(&note.value(), &line[..line.len() - code.len()], &mut restored),
            None => restored.extend([&tidy(line), "\n"]),
        }
    }
    restored
}

/// Writes the tokens of an attribute as people do.
fn tidy(line: &str) -> Cow<'_, str> {
    let code = line.trim_start();
    if code.starts_with("#[field(") {
        Cow::Owned(line.replacen("..= ", "..=", 1))
    } else if code.starts_with("#[bar(") {
        Cow::Owned(line.replacen(':', ": ", 1))
    } else {
        Cow::Borrowed(line)
    }
}

/// Writes a comment of as many lines as it needs.
pub(super) fn wrap(text: &str, indent: &str, out: &mut String) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if column == 0 || column + length > WIDTH {
            if column > 0 {
                out.push('\n');
            }
            out.extend([indent, "//"]);
            column = indent.len() + 2;
        }
        out.extend([" ", word]);
        column += length;
    }
    if column > 0 {
        out.push('\n');
    }
}
