//! Elements of XML files, by their names without namespaces.

use quick_xml::Reader;
use quick_xml::events::Event;
use roxmltree::{Document, Node, ParsingOptions};

use super::number;
use super::problem::Problem;

/// An element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'d>(Node<'d, 'd>);

/// The most elements, attributes and texts of a file.
const NODES: u32 = 4_000_000;

/// The most elements inside each other.
const DEPTH: u32 = 64;

/// Reads a document. Entities of its own are refused: they could be of any size.
pub(super) fn document(text: &str) -> Result<Document<'_>, Problem> {
    check_depth(text)?;
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let line = error.pos().row;
        Problem::at(line, format!("not XML: {error}"))
    })
}

/// Refuses a document that is nested deeply: the tree is built by recursion.
fn check_depth(text: &str) -> Result<(), Problem> {
    let (mut reader, mut depth) = (Reader::from_str(text), 0u32);
    let line = |reader: &Reader<&[u8]>| {
        let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        let lines = text.as_bytes()[..end].split(|byte| *byte == b'\n').count();
        u32::try_from(lines).unwrap_or(u32::MAX)
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) if depth == DEPTH => {
                let message = format!("more than {DEPTH} elements inside each other");
                return Err(Problem::at(line(&reader), message));
            }
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(Problem::at(line(&reader), format!("not XML: {error}"))),
        }
    }
}

impl<'d> Element<'d> {
    pub(super) fn root(document: &'d Document<'d>) -> Self {
        Element(document.root_element())
    }

    pub(super) fn tag(self) -> &'d str {
        self.0.tag_name().name()
    }

    /// Returns whether both are the same element of the file.
    pub(super) fn is(self, other: Self) -> bool {
        self.0.id() == other.0.id()
    }

    pub(super) fn parent(self) -> Option<Self> {
        self.0.parent_element().map(Element)
    }

    pub(super) fn attribute(self, name: &str) -> Option<&'d str> {
        self.0.attributes().find(|one| one.name() == name).map(|one| one.value())
    }

    /// Returns the elements in this one.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'d>> {
        self.0.children().filter(Node::is_element).map(Element)
    }

    /// Returns this element and all in it, at any depth.
    pub(super) fn descendants(self) -> impl Iterator<Item = Element<'d>> {
        self.0.descendants().filter(Node::is_element).map(Element)
    }

    pub(super) fn named(self, tag: &'static str) -> impl Iterator<Item = Element<'d>> {
        self.children().filter(move |child| child.tag() == tag)
    }

    pub(super) fn child(self, tag: &str) -> Option<Element<'d>> {
        self.children().find(|child| child.tag() == tag)
    }

    pub(super) fn required(self, tag: &str) -> Result<Element<'d>, Problem> {
        self.child(tag).ok_or_else(|| self.problem(format!("<{}> lacks <{tag}>", self.tag())))
    }

    /// Returns the text, without spaces around it; none if it is empty.
    pub(super) fn text(self) -> Option<&'d str> {
        self.0.text().map(str::trim).filter(|text| !text.is_empty())
    }

    pub(super) fn text_of(self, tag: &str) -> Option<&'d str> {
        self.child(tag)?.text()
    }

    pub(super) fn number(self) -> Result<u64, Problem> {
        let text = self.text().unwrap_or_default();
        number::parse(text).ok_or_else(|| {
            self.problem(format!("<{}> is `{text}`, which is not a number of 64 bits", self.tag()))
        })
    }

    pub(super) fn number_of(self, tag: &str) -> Result<Option<u64>, Problem> {
        self.child(tag).map(Element::number).transpose()
    }

    /// Returns whether the element says `true` or `1`.
    pub(super) fn boolean(self) -> Result<bool, Problem> {
        match self.text() {
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            _ => Err(self.problem(format!("<{}> is neither `true` nor `false`", self.tag()))),
        }
    }

    /// Counts from one.
    pub(super) fn line(self) -> u32 {
        self.0.document().text_pos_at(self.0.range().start).row
    }

    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::at(self.line(), message)
    }
}
