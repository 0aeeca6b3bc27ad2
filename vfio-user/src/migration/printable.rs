//! Texts of a stream, for logs.

/// Removes control characters from a text: parts of it may come from the stream, and it is logged.
pub(super) fn printable(text: &str) -> String {
    let escaped = |letter: char| {
        let is_plain = !letter.is_control() && !is_format(letter);
        if is_plain { letter.to_string() } else { letter.escape_unicode().to_string() }
    };
    text.chars().map(escaped).collect()
}

/// Whether a character changes the direction or the visibility of others.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
