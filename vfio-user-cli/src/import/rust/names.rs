//! Legal names.

use std::collections::HashSet;

use proc_macro2::{Ident, Span};

/// The names of one scope.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

/// Words that are no identifiers, or are in some edition.
const WORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Words that are not even raw identifiers.
const NEVER: &[&str] = &["crate", "self", "Self", "super", "_"];

/// Types that a declaration mentions, or that derived code may.
const TYPES: &[&str] = &[
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Cx",
    "Debug",
    "Default",
    "Device",
    "Drop",
    "Eq",
    "Err",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Hash",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "PciDevice",
    "Register",
    "RegisterBlock",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "Virtual",
];

/// The longest name.
const LENGTH: usize = 60;

impl Names {
    /// A scope of types.
    pub(super) fn of_types() -> Self {
        Names(TYPES.iter().map(|&name| name.to_owned()).collect())
    }

    /// Returns the first name, or the second one if that is taken.
    pub(super) fn take_one_of(&mut self, name: &str, other: &str) -> Ident {
        self.take(if self.0.contains(name) { other } else { name })
    }

    /// Returns the name as an identifier, with a number if it is taken.
    pub(super) fn take(&mut self, name: &str) -> Ident {
        let numbered = (2u64..).map(|number| {
            let line = if name.ends_with(|last: char| last.is_ascii_digit()) { "_" } else { "" };
            format!("{name}{line}{number}")
        });
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|name| self.0.insert(name.clone()));
        ident(&free.expect("there are more numbers than names"))
    }
}

fn ident(name: &str) -> Ident {
    if NEVER.contains(&name) {
        Ident::new(&format!("{name}_"), Span::call_site())
    } else if WORDS.contains(&name) {
        Ident::new_raw(name, Span::call_site())
    } else {
        Ident::new(name, Span::call_site())
    }
}

/// Returns the name of a field: that of the file, if its names are Rust's.
pub(super) fn field(name: &str, is_own: bool) -> String {
    if is_own && is_legal(name) { name.to_owned() } else { snake(name) }
}

/// Returns the name of a variant in the same way.
pub(super) fn variant(name: &str, is_own: bool) -> String {
    if is_own && is_legal(name) { name.to_owned() } else { camel(name) }
}

fn is_legal(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && name.len() <= 64
}

/// `TxFIFO_level` and `tx-fifo.level` are `tx_fifo_level`.
pub(super) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let next_is_lower = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower)
            });
        if starts_word || !letter.is_ascii_alphanumeric() {
            line(&mut snake);
        }
        if letter.is_ascii_alphanumeric() {
            snake.push(letter.to_ascii_lowercase());
        }
    }
    finish(snake.trim_end_matches('_').to_owned(), 'n')
}

fn line(name: &mut String) {
    if !name.is_empty() && !name.ends_with('_') {
        name.push('_');
    }
}

/// `TX_FIFO`, `tx fifo` and `TxFifo` are `TxFifo`.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::new();
    for word in name.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let is_shouted = !word.chars().any(|letter| letter.is_ascii_lowercase());
        let mut letters = word.chars();
        let Some(first) = letters.next() else { continue };
        // Two numbers in a row are not one.
        if first.is_ascii_digit() && camel.ends_with(|last: char| last.is_ascii_digit()) {
            camel.push('_');
        }
        camel.push(first.to_ascii_uppercase());
        let rest = letters.as_str();
        camel.push_str(&if is_shouted { rest.to_ascii_lowercase() } else { rest.to_owned() });
    }
    finish(camel, 'N')
}

/// Makes a name begin with a letter, and not longer than names are.
fn finish(mut name: String, letter: char) -> String {
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.insert(0, letter);
    }
    name.truncate(LENGTH);
    name
}

#[cfg(test)]
mod tests {
    use super::{Names, camel, snake};

    #[test]
    fn fields_are_snakes() {
        for (name, expected) in [
            ("CR1", "cr1"),
            ("TxFIFO_Level", "tx_fifo_level"),
            ("EVENTS_READY", "events_ready"),
            ("a  b--c__", "a_b_c"),
            ("16550", "n16550"),
            ("", "n"),
            ("é", "n"),
            ("pub fn x() {}", "pub_fn_x"),
        ] {
            assert_eq!(snake(name), expected, "{name}");
        }
    }

    #[test]
    fn types_are_camels() {
        for (name, expected) in [
            ("EVENTS_READY", "EventsReady"),
            ("TxFIFO", "TxFIFO"),
            ("B_0x1F", "B0x1F"),
            ("V1_5", "V1_5"),
            ("8BIT", "N8bit"),
            ("", "N"),
        ] {
            assert_eq!(camel(name), expected, "{name}");
        }
    }

    #[test]
    fn names_are_legal_and_taken_once() {
        let mut names = Names::of_types();
        let all = ["type", "type", "self", "Self", "Option", "cr1", "cr1"];
        let all = all.map(|name| names.take(name).to_string());
        assert_eq!(all, ["r#type", "type2", "self_", "Self_", "Option2", "cr1", "cr1_2"]);
    }
}
