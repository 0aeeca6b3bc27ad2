//! Compares two streams.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::memory::Run;
use super::names::Names;
use super::read::Stream;
use super::value;

/// What differs between two streams.
#[derive(Serialize)]
pub(super) struct Differences {
    values: Vec<Difference>,
    memory: Vec<Run>,
}

/// A value of one stream that the other one does not have.
#[derive(Serialize)]
struct Difference {
    name: String,
    old: Option<String>,
    new: Option<String>,
}

impl Differences {
    pub(super) fn between(old: &Stream, new: &Stream, names: &Names) -> Self {
        // A description belongs to one device.
        let is_same = value::device(&old.hello) == value::device(&new.hello);
        let none = Names::default();
        let mut before = facts(old, names);
        let mut after = facts(new, if is_same { names } else { &none });
        let added = after.keys().filter(|name| !before.contains_key(*name)).cloned();
        let names: Vec<_> = before.keys().cloned().chain(added).collect();
        let difference = |name: String| {
            let (old, new) = (before.remove(&name), after.remove(&name));
            let differ =
                old.as_ref().map(|fact| &fact.value) != new.as_ref().map(|fact| &fact.value);
            let [old, new] = [old, new].map(|fact| fact.map(|fact| fact.text));
            differ.then_some(Difference { name, old, new })
        };
        let values = names.into_iter().filter_map(difference).collect();
        Differences { values, memory: old.memory.differences(&new.memory) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.memory.is_empty()
    }
}

/// Lines of the first stream have a `-`, lines of the second one a `+`.
impl Display for Differences {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Difference { name, old, new } in &self.values {
            for (sign, text) in [('-', old), ('+', new)] {
                if let Some(text) = text {
                    writeln!(f, "{sign} {name} = {text}")?;
                }
            }
        }
        self.memory.iter().try_for_each(|run| writeln!(f, "! memory of {run}"))
    }
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
