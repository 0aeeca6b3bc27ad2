//! The author's words in HTML.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// Returns a text that cannot end the text or the attribute in which it stands.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

/// A doc comment: paragraphs, lists and code between backticks.
pub(super) struct Prose<'a>(pub(super) &'a str);

impl Display for Prose<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
        parts.try_for_each(|part| match items(part) {
            Some(items) => {
                writeln!(f, "<ul>")?;
                items.iter().try_for_each(|item| writeln!(f, "<li>{}</li>", Inline(item)))?;
                writeln!(f, "</ul>")
            }
            None => writeln!(f, "<p>{}</p>", Inline(part)),
        })
    }
}

/// Returns the items of a list, if a paragraph is one.
fn items(paragraph: &str) -> Option<Vec<String>> {
    let mut items = Vec::<String>::new();
    for line in paragraph.lines() {
        match line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            Some(item) => items.push(item.to_owned()),
            None => items.last_mut()?.extend([" ", line.trim()]),
        }
    }
    Some(items)
}

/// A line of text, in which code stands between backticks.
pub(super) struct Inline<'a>(pub(super) &'a str);

impl Display for Inline<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.split('`').collect();
        // Without its other end, a backtick is a letter.
        let closed = (parts.len() - 1) / 2 * 2;
        for (at, part) in parts.iter().enumerate() {
            match at {
                at if at % 2 == 1 && at < closed => write!(f, "<code>{}</code>", escape(part))?,
                at if at > closed => write!(f, "`{}", escape(part))?,
                _ => write!(f, "{}", escape(part))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Inline, Prose};

    #[test]
    fn code_stands_between_backticks() {
        for (text, html) in [
            ("plain", "plain"),
            ("a `b` c `d`", "a <code>b</code> c <code>d</code>"),
            ("a `b", "a `b"),
            ("`a` `b", "<code>a</code> `b"),
            ("`<i>` & \"q\"", "<code>&lt;i&gt;</code> &amp; &quot;q&quot;"),
        ] {
            assert_eq!(Inline(text).to_string(), html);
        }
    }

    #[test]
    fn paragraphs_and_lists_are_separate() {
        let html = Prose("One\ntwo.\n\n- a\n  b\n- c\n\n</p><script>").to_string();
        assert_eq!(
            html,
            "<p>One\ntwo.</p>\n<ul>\n<li>a b</li>\n<li>c</li>\n</ul>\n\
             <p>&lt;/p&gt;&lt;script&gt;</p>\n"
        );
    }
}
