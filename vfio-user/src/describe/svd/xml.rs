//! Elements of an XML document.

use std::io::Result;

use quick_xml::Writer;
use quick_xml::events::BytesText;

/// Writes into memory, so that the `Result`s of its functions are never errors.
pub(super) type Xml = Writer<Vec<u8>>;

/// Writes `<tag>text</tag>`.
pub(super) fn text(xml: &mut Xml, tag: &str, text: &str) -> Result<()> {
    xml.create_element(tag).write_text_content(BytesText::new(&allowed(text)))?;
    Ok(())
}

/// Writes an element with a number in hexadecimal digits.
pub(super) fn hex(xml: &mut Xml, tag: &str, value: u64) -> Result<()> {
    text(xml, tag, &format!("{value:#x}"))
}

/// Writes an element with a number in decimal digits.
pub(super) fn number(xml: &mut Xml, tag: &str, value: u64) -> Result<()> {
    text(xml, tag, &value.to_string())
}

/// Writes an element unless its text is empty.
pub(super) fn optional(xml: &mut Xml, tag: &str, content: &str) -> Result<()> {
    if content.is_empty() { Ok(()) } else { text(xml, tag, content) }
}

/// Writes an element that contains what `content` writes.
pub(super) fn inside(
    xml: &mut Xml,
    tag: &str,
    content: impl FnOnce(&mut Xml) -> Result<()>,
) -> Result<()> {
    xml.create_element(tag).write_inner_content(content)?;
    Ok(())
}

/// Replaces characters that XML cannot contain, not even escaped.
fn allowed(text: &str) -> String {
    let is_allowed = |letter| match letter {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        letter => letter >= ' ',
    };
    text.chars().map(|letter| if is_allowed(letter) { letter } else { '\u{fffd}' }).collect()
}
