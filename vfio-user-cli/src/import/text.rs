//! Descriptions.

/// Returns a description as a doc comment. An export keeps the lines of the comment that it was
/// made from; others are indented as their files are.
pub(super) fn doc(description: Option<&str>, is_own: bool) -> String {
    let Some(description) = description else { return String::new() };
    let lines = description.lines().map(|line| if is_own { line } else { line.trim() });
    let lines: Vec<_> = lines.map(plain).collect();
    lines.join("\n").trim().to_owned()
}

/// Replaces characters that a comment must not contain: those that are not seen, and those that
/// change the order of letters on a screen.
pub(super) fn plain(line: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    line.chars().map(|letter| if is_hidden(letter) { ' ' } else { letter }).collect()
}
