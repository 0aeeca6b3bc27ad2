//! The names of flags.

/// Returns the names of the flags of a word, with `|` between them; unknown bits as a number.
macro_rules! flags {
    ($type:ty, $bits:expr) => {{
        let flags = <$type>::from_bits_retain($bits);
        let mut names: Vec<String> = flags.iter_names().map(|(name, _)| name.to_owned()).collect();
        let unknown = flags.bits() & !<$type>::all().bits();
        if unknown != 0 {
            names.push(format!("{unknown:#x}"));
        }
        if names.is_empty() { "0".to_owned() } else { names.join("|") }
    }};
}
