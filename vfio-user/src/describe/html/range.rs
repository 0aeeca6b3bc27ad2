//! Memory, and places without a model, on the page.

use std::fmt::{self, Display, Formatter};

use super::super::{memories, phrases, unmodelled};
use super::text::{Prose, escape};
use crate::model::Descriptor;

/// A named range of bytes.
pub(super) struct RangeCard {
    pub(super) name: &'static str,
    pub(super) start: u64,
    last: u64,
    kind: &'static str,
    notes: Vec<String>,
    doc: &'static str,
}

impl RangeCard {
    /// Returns the ranges of a BAR: memories, then places without a model.
    pub(super) fn all(descriptor: &Descriptor, bar: u8) -> Vec<Self> {
        let memories = memories(descriptor, bar).into_iter().map(|memory| RangeCard {
            name: memory.name(),
            start: memory.start(),
            last: memory.end().saturating_sub(1),
            kind: "memory",
            notes: phrases::memory_notes(memory),
            doc: memory.doc(),
        });
        let places = unmodelled(descriptor, bar).into_iter().map(|place| RangeCard {
            name: place.name(),
            start: place.start(),
            last: place.end().saturating_sub(1),
            kind: "not modelled",
            notes: phrases::unmodelled_notes(place),
            doc: "",
        });
        memories.chain(places).collect()
    }

    pub(super) fn anchor(&self) -> String {
        format!("m.{}", escape(self.name))
    }
}

impl Display for RangeCard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let RangeCard { name, start, last, kind, notes, doc } = self;
        let (anchor, name) = (self.anchor(), escape(name));
        writeln!(f, "<article class=\"reg range\" id=\"{anchor}\">\n<header>")?;
        writeln!(f, "<h4><a href=\"#{anchor}\">{name}</a></h4>")?;
        writeln!(f, "<code class=\"offset\">{start:#06x} – {last:#06x}</code>")?;
        writeln!(f, "<span>{kind}</span>\n</header>\n{}", Prose(doc))?;
        writeln!(f, "<p class=\"notes\">{}</p>\n</article>", notes.join(" · "))
    }
}
