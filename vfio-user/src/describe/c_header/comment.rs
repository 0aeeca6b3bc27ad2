//! Comments of C.

use std::fmt::{self, Display, Formatter};

/// The length of a line.
const WIDTH: usize = 96;

/// A text as a comment that no text can end, and that no compiler warns of.
pub(super) struct Comment {
    text: String,
    is_wrapped: bool,
}

impl Comment {
    /// A comment of as many lines as it needs.
    pub(super) fn new(text: &str) -> Self {
        Comment { text: harmless(text), is_wrapped: true }
    }

    /// A comment behind a value, on the same line.
    pub(super) fn short(text: &str) -> Self {
        Comment { text: harmless(text), is_wrapped: false }
    }
}

impl Display for Comment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("/*")?;
        let mut column = 2;
        for word in self.text.split_whitespace() {
            let width = word.chars().count() + 1;
            if self.is_wrapped && column > 3 && column + width > WIDTH {
                f.write_str("\n  ")?;
                column = 2;
            }
            write!(f, " {word}")?;
            column += width;
        }
        f.write_str(" */")
    }
}

/// Takes the ends and starts of comments apart, and trigraphs; removes what would change the order
/// of the letters on a screen.
fn harmless(text: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut harmless = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_split = matches!(
            (harmless.chars().next_back(), letter),
            (Some('*'), '/') | (Some('/'), '*') | (Some('?'), '?')
        );
        if is_split {
            harmless.push(' ');
        }
        harmless.push(if is_hidden(letter) { ' ' } else { letter });
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::Comment;

    #[test]
    fn no_text_ends_a_comment() {
        for (text, comment) in [
            ("plain", "/* plain */"),
            ("a */ b", "/* a * / b */"),
            ("/*/ **/", "/* / * / ** / */"),
            ("what??/", "/* what? ?/ */"),
            ("a\u{202e}b\nc", "/* a b c */"),
            ("", "/* */"),
        ] {
            assert_eq!(Comment::short(text).to_string(), comment);
        }
    }

    #[test]
    fn long_comments_are_wrapped() {
        let comment = Comment::new(&"word ".repeat(60)).to_string();
        assert!(comment.lines().count() == 4 && comment.lines().all(|line| line.len() <= 100));
    }
}
