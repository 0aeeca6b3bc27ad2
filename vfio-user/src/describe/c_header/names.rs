//! Names of macros.

use std::collections::HashSet;

/// The names that are taken.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

/// First words of macros of the C library that a register's name could complete, as in `INT_MAX`.
const OF_C: &[&str] = &[
    "CHAR", "E", "INT", "INT8", "INT16", "INT32", "INT64", "INTMAX", "INTPTR", "LLONG", "LONG",
    "NULL", "PTRDIFF", "SCHAR", "SHRT", "SIG", "SIZE", "SSIZE", "UCHAR", "UINT", "UINT8", "UINT16",
    "UINT32", "UINT64", "UINTMAX", "UINTPTR", "ULLONG", "ULONG", "USHRT", "WCHAR", "WINT", "",
];

impl Names {
    pub(super) fn take(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// Returns `wanted`, or the same with a number, so that no name which ends in one of `endings`
    /// is taken, and takes them.
    pub(super) fn free(&mut self, wanted: &str, endings: &[&str]) -> String {
        let is_free = |name: &String| {
            endings.iter().all(|ending| !self.0.contains(&format!("{name}{ending}")))
        };
        let numbered = (2u64..).map(|number| format!("{wanted}_{number}"));
        let name = std::iter::once(wanted.to_owned()).chain(numbered).find(is_free);
        let name = name.expect("there are more numbers than names");
        self.0.extend(endings.iter().map(|ending| format!("{name}{ending}")));
        name
    }
}

/// Returns the beginning of all names of a device.
pub(super) fn prefix(device: &str) -> String {
    let name = upper(device);
    let is_reserved = OF_C.contains(&name.as_str())
        || name.starts_with(|first: char| !first.is_ascii_alphabetic());
    if is_reserved { format!("DEV_{name}") } else { name }
}

/// Returns a name in upper case, with `_` where a word begins.
pub(super) fn upper(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut upper = String::with_capacity(name.len());
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let next = letters.get(at + 1);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word {
            upper.push('_');
        }
        upper.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
    }
    upper
}

#[cfg(test)]
mod tests {
    use super::{Names, prefix, upper};

    #[test]
    fn words_are_separated() {
        for (name, expected) in [
            ("rx_fifo", "RX_FIFO"),
            ("TxFull", "TX_FULL"),
            ("HTTPServer", "HTTP_SERVER"),
            ("Mode2Fast", "MODE2_FAST"),
            ("ON", "ON"),
            ("gpio-pci idio.16", "GPIO_PCI_IDIO_16"),
        ] {
            assert_eq!(upper(name), expected);
        }
    }

    #[test]
    fn no_device_defines_macros_of_the_library() {
        assert_eq!(prefix("edu"), "EDU");
        assert_eq!(prefix("int"), "DEV_INT");
        assert_eq!(prefix("16550"), "DEV_16550");
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut names = Names::default();
        assert_eq!(names.free("A", &["", "_RESET"]), "A");
        assert_eq!(names.free("A_RESET", &[""]), "A_RESET_2");
        assert_eq!(names.free("A", &["_MASK"]), "A");
        assert_eq!(names.free("A", &["", "_MASK"]), "A_2");
    }
}
