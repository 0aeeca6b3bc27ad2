//! A register on the page.

use std::fmt::{self, Display, Formatter};

use super::super::{Family, phrases};
use super::bits::{self, Drawing};
use super::policy;
use super::text::{Inline, Prose, escape};
use crate::layout::Extent;
use crate::model::{Block, Field, Register};

pub(super) struct Card {
    pub(super) register: &'static Register,
    pub(super) family: Family,
    pub(super) place: Place,
}

/// Where a register is: the elements of an array are counted with `n`, the blocks around it with
/// `i`, `j` and so on.
pub(super) struct Place {
    /// The path of the block.
    block: Option<String>,
    register: &'static str,
    /// With letters for the arrays.
    pub(super) name: String,
    /// The same without the block.
    pub(super) short: String,
    /// Of the first element.
    pub(super) offset: String,
    /// `0x40 + n × 0x8`, `n < 4`.
    steps: Vec<(String, String)>,
}

impl Place {
    pub(super) fn of(register: &'static Register) -> Self {
        let Extent { name, offset, count, stride, .. } = register.extent();
        let place = Place {
            block: None,
            register: name,
            name: name.to_owned(),
            short: if count > 1 { format!("{name}[n]") } else { name.to_owned() },
            offset: format!("{offset:#06x}"),
            steps: vec![(format!("{offset:#06x}"), String::new())],
        };
        place.counted('n', count, stride)
    }

    /// Moves it into blocks, the outermost of which is the first, each with the letter of its
    /// index.
    pub(super) fn inside_all(self, blocks: &[(&'static Block, char)]) -> Self {
        blocks.iter().rev().fold(self, |place, (block, letter)| place.inside(block, *letter))
    }

    fn inside(mut self, block: &Block, letter: char) -> Self {
        let Extent { name, offset, count, stride, .. } = block.extent();
        let outer = Place {
            block: self.block.or_else(|| Some(block.path())),
            register: self.register,
            name: name.to_owned(),
            short: self.short,
            offset: format!("+ {}", self.offset.trim_start_matches("+ ")),
            steps: vec![(format!("{offset:#06x}"), String::new())],
        };
        let mut outer = outer.counted(letter, count, stride);
        outer.name = format!("{}.{}", outer.name, self.name);
        outer.steps.append(&mut self.steps);
        outer
    }

    fn counted(mut self, letter: char, count: u64, stride: u64) -> Self {
        if count > 1 {
            self.name = format!("{}[{letter}]", self.name);
            self.steps.push((format!("{letter} × {stride:#x}"), format!("{letter} &lt; {count}")));
        }
        self
    }

    /// The id of the register's card.
    pub(super) fn anchor(&self) -> String {
        anchor(self.block.as_deref(), self.register)
    }

    /// `0x0040 + n × 0x8`.
    fn sum(&self) -> String {
        self.steps.iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>().join(" + ")
    }

    fn ranges(&self) -> Vec<String> {
        let ranges = self.steps.iter().map(|(_, range)| range.clone());
        ranges.filter(|range| !range.is_empty()).collect()
    }
}

fn anchor(block: Option<&str>, register: &str) -> String {
    match block {
        Some(block) => format!("r.{}.{}", escape(block), escape(register)),
        None => format!("r.{}", escape(register)),
    }
}

/// A reference to a register of the same family.
pub(super) fn link(block: Option<&Block>, register: &str) -> String {
    let anchor = anchor(block.map(Block::path).as_deref(), register);
    format!("<a href=\"#{anchor}\">{}</a>", escape(register))
}

impl Display for Card {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Card { register, family, place } = self;
        let (anchor, bits) = (place.anchor(), u32::from(register.width()) * 8);
        writeln!(f, "<article class=\"reg\" id=\"{anchor}\">\n<header>")?;
        writeln!(f, "<h4><a href=\"#{anchor}\">{}</a></h4>", escape(&place.name))?;
        writeln!(f, "<code class=\"offset\">{}</code>", place.sum())?;
        place.ranges().iter().try_for_each(|range| writeln!(f, "<code>{range}</code>"))?;
        writeln!(f, "<span>{bits} bits</span>\n{}", policy::tag(register.policy()))?;
        if let Some(reset) = register.reset() {
            writeln!(f, "<span>reset <code>{reset:#x}</code></span>")?;
        }
        writeln!(f, "</header>\n{}", Prose(register.doc()))?;
        let selector = register.selector();
        let selection = phrases::selection(register.count(), selector, family.registers);
        let selection = selection.map(|selection| escape(&selection).into_owned());
        let notes: Vec<_> =
            selection.into_iter().chain(phrases::notes(register, *family)).collect();
        if !notes.is_empty() {
            writeln!(f, "<p class=\"notes\">{}</p>", notes.join(" · "))?;
        }
        if !register.fields().is_empty() {
            write!(f, "{}", Drawing { register, anchor: &anchor, shape: bits::WIDE })?;
            write!(f, "{}", Drawing { register, anchor: &anchor, shape: bits::NARROW })?;
            writeln!(f, "<table>")?;
            // The highest bits come first, as in the drawing.
            let mut fields: Vec<_> = register.fields().iter().collect();
            fields.sort_by_key(|field| std::cmp::Reverse(field.shift));
            fields.into_iter().try_for_each(|one| field(one, register, &anchor, f))?;
            writeln!(f, "</table>")?;
        }
        writeln!(f, "</article>")
    }
}

fn field(field: &Field, register: &Register, anchor: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let tag = policy::tag(field.policy.unwrap_or(register.policy()));
    let name = escape(field.name);
    writeln!(f, "<tr id=\"{anchor}.{name}\"><td><code>{}</code></td>", phrases::bits(field))?;
    writeln!(f, "<th scope=\"row\">{name}</th><td>{tag}</td><td>")?;
    if let Some(reset) = field.reset {
        writeln!(f, "<span class=\"reset\">reset <code>{reset:#x}</code></span>")?;
    }
    write!(f, "{}", Prose(field.doc))?;
    let notes = phrases::field_traits(field);
    if !notes.is_empty() {
        writeln!(f, "<p class=\"notes\">{}</p>", notes.join(" · "))?;
    }
    let values = field.values.names();
    if !values.is_empty() {
        writeln!(f, "<ul class=\"values\">")?;
        for (value, name) in values {
            writeln!(f, "<li><code>{value}</code> {}</li>", Inline(name))?;
        }
        writeln!(f, "</ul>")?;
    }
    writeln!(f, "</td></tr>")
}
