//! Compares two streams.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::names::Names;
use super::read::Stream;
use super::value;

/// Prints the differences: lines of the first stream with `-`, lines of the second with `+`.
/// Returns the number of differences.
pub(super) fn streams(
    old: &Stream,
    new: &Stream,
    names: &Names,
    out: &mut impl Write,
) -> io::Result<usize> {
    // A description belongs to one device.
    let is_same = value::device(&old.hello) == value::device(&new.hello);
    let none = Names::default();
    let (before, after) = (facts(old, names), facts(new, if is_same { names } else { &none }));
    let mut count = 0;
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        let (before, after) = (before.get(name), after.get(name));
        if before.map(|fact| &fact.value) == after.map(|fact| &fact.value) {
            continue;
        }
        count += 1;
        for (sign, fact) in [('-', before), ('+', after)] {
            if let Some(fact) = fact {
                writeln!(out, "{sign} {name} = {}", fact.text)?;
            }
        }
    }
    for (bar, range) in old.memory.differences(&new.memory) {
        count += 1;
        writeln!(out, "! memory of BAR {bar} {:#x}..{:#x}", range.start, range.end)?;
    }
    Ok(count)
}

/// A value for comparison, and its text, which may leave out parts.
struct Fact {
    value: Vec<u8>,
    text: String,
}

impl Fact {
    fn said(text: String) -> Self {
        Fact { value: text.clone().into_bytes(), text }
    }
}

fn facts(stream: &Stream, bits: &Names) -> BTreeMap<String, Fact> {
    let hello = &stream.hello;
    let device = value::device(hello);
    let mut facts = BTreeMap::from([
        ("device".to_owned(), Fact::said(device)),
        ("layout".to_owned(), Fact::said(format!("{:08x}", hello.layout))),
    ]);
    for section in stream.sections() {
        let id = section.id;
        let version = format!("{}, for {} and later", section.version, section.min_reader);
        facts.insert(format!("{id} version"), Fact::said(version));
        let mut names = BTreeSet::new();
        for (place, field) in section.fields.iter().enumerate() {
            let is_first = names.insert(field.name);
            let again = if is_first { String::new() } else { format!(" (at {place})") };
            let fact = Fact { value: field.value.to_vec(), text: bits.text(id, field) };
            facts.insert(format!("{id}.{}{again}", field.name), fact);
        }
    }
    facts
}
