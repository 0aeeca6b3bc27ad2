//! The text format of the record.

use std::collections::BTreeMap;
use std::fmt;

/// The type of a removed field.
pub(super) const REMOVED: &str = "removed";
/// The type of a timer.
pub(super) const TIMER: &str = "timer";

/// The first line: how the rest is written.
const HEAD: &str =
    "# What a test compares, as format 3. VFIO_USER_BLESS=1 records what may change.";

/// The content of a device's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) sections: Vec<Section>,
}

/// A part of the state with its own version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) id: String,
    /// Its ids in older state.
    pub(super) was: Vec<String>,
    pub(super) version: u16,
    /// The oldest accepted version.
    pub(super) min: u16,
    /// The version of the device that added it; 0 if the first version had it.
    pub(super) since: u16,
    /// Whether older state is converted, of all sections: a fact of the device's own.
    pub(super) converts: bool,
    pub(super) entries: Vec<Entry>,
}

/// A field, or a fact of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The type in a stream; [`REMOVED`] if the field no longer exists.
    pub(super) ty: String,
    /// Further facts.
    pub(super) facts: BTreeMap<Fact, String>,
}

/// What is said of a field besides its type, in the order in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// Number of elements of an array.
    Elements,
    /// The most elements of a collection, and of the collections in it.
    AtMost,
    /// The BAR and the offset of a register.
    At,
    Policy,
    Reset,
    /// The named bits of a register, each with its values.
    Fields,
    /// The conversion.
    With,
    /// The version that added it.
    Since,
    /// The value in the state of an older version.
    Default,
    /// Its names in older state.
    Was,
}

impl Fact {
    const ALL: [(Fact, &str); 10] = [
        (Fact::Elements, "elements "),
        (Fact::AtMost, "at most "),
        (Fact::At, "at "),
        (Fact::Policy, "policy "),
        (Fact::Reset, "reset "),
        (Fact::Fields, "fields "),
        (Fact::With, "with "),
        (Fact::Since, "since "),
        (Fact::Default, "default "),
        (Fact::Was, "was "),
    ];

    pub(super) fn key(self) -> &'static str {
        Self::ALL[self as usize].1.trim_end()
    }
}

impl Section {
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Whether it is elements by which an array of blocks has grown.
    pub(super) fn is_part(&self) -> bool {
        self.id.strip_prefix("block.").is_some_and(|name| name.contains('.'))
    }

    /// Returns the names of removed fields.
    pub(super) fn removed(&self) -> impl Iterator<Item = &str> {
        let removed = self.entries.iter().filter(|entry| entry.is_removed());
        removed.map(|entry| entry.name.as_str())
    }
}

/// What separates the facts of an entry; it is in none of them.
const SEPARATOR: &str = "  ";

impl Entry {
    pub(super) fn new(name: impl Into<String>, ty: impl Into<String>) -> Self {
        Entry { name: name.into(), ty: ty.into(), facts: BTreeMap::new() }
    }

    #[must_use]
    pub(super) fn with(mut self, fact: Fact, value: Option<impl fmt::Display>) -> Self {
        if let Some(value) = value {
            let words = value.to_string();
            let words: Vec<_> = words.split_whitespace().collect();
            self.facts.insert(fact, words.join(" "));
        }
        self
    }

    /// Whether it is elements by which an array has grown.
    pub(super) fn is_part(&self) -> bool {
        self.name.contains('.')
    }

    pub(super) fn is_removed(&self) -> bool {
        self.ty == REMOVED
    }

    pub(super) fn is_timer(&self) -> bool {
        self.ty == TIMER
    }

    pub(super) fn fact(&self, fact: Fact) -> Option<&str> {
        self.facts.get(&fact).map(String::as_str)
    }

    /// Returns a numeric fact; 0 if it is missing.
    pub(super) fn number(&self, fact: Fact) -> u64 {
        self.fact(fact).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The most elements of a collection, and of the collections in it; no more are said of others.
    pub(super) fn at_most(&self) -> impl Iterator<Item = u64> {
        let lens = self.fact(Fact::AtMost).into_iter().flat_map(|lens| lens.split(", "));
        lens.map(|len| len.parse().unwrap_or(0))
    }

    /// Returns the version that added it; 0 if the first version had it.
    pub(super) fn since(&self) -> u64 {
        self.number(Fact::Since)
    }

    /// Returns its names in older state.
    pub(super) fn was(&self) -> impl Iterator<Item = &str> {
        self.fact(Fact::Was).into_iter().flat_map(|was| was.split(", "))
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(": ")?;
        let mut parts = rest.split(SEPARATOR);
        let mut entry = Entry::new(name, parts.next()?);
        for part in parts {
            let fact = |(fact, key): &(Fact, &str)| Some((*fact, part.strip_prefix(key)?));
            let (fact, value) = Fact::ALL.iter().find_map(fact)?;
            entry.facts.insert(fact, value.to_owned());
        }
        Some(entry)
    }
}

impl Schema {
    /// Reads a record.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.lines().next() != Some(HEAD) {
            return Err("it is written as an earlier version of this crate did; remove it, and \
                        record it anew with VFIO_USER_BLESS=1"
                .to_owned());
        }
        let mut schema = Schema { name: String::new(), sections: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                schema.add(line).ok_or_else(|| format!("line {number} says nothing of a state"))?;
            }
        }
        Ok(schema)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        if let Some(name) = line.strip_prefix("state of ") {
            name.clone_into(&mut self.name);
        } else if let Some(section) = line.strip_prefix("section ") {
            let mut parts = section.split(", ");
            let id = parts.next()?.to_owned();
            let version = parts.next()?.strip_prefix("version ")?.parse().ok()?;
            let min = parts.next()?.strip_prefix("min ")?.parse().ok()?;
            let mut section = Section { id, version, min, ..Section::default() };
            for part in parts {
                match part.split_once(' ') {
                    Some(("since", version)) => section.since = version.parse().ok()?,
                    Some(("was", id)) => section.was.push(id.to_owned()),
                    None if part == "converts" => section.converts = true,
                    _ => return None,
                }
            }
            self.sections.push(section);
        } else {
            let entry = Entry::parse(line.strip_prefix("    ")?)?;
            self.sections.last_mut()?.entries.push(entry);
        }
        Some(())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        writeln!(f, "state of {}", self.name)?;
        for Section { id, was, version, min, since, converts, entries } in &self.sections {
            write!(f, "\nsection {id}, version {version}, min {min}")?;
            if *converts {
                write!(f, ", converts")?;
            }
            if *since > 0 {
                write!(f, ", since {since}")?;
            }
            was.iter().try_for_each(|was| write!(f, ", was {was}"))?;
            writeln!(f)?;
            entries.iter().try_for_each(|entry| writeln!(f, "    {entry}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, ty, facts } = self;
        write!(f, "{name}: {ty}")?;
        facts.iter().try_for_each(|(fact, value)| write!(f, "{SEPARATOR}{} {value}", fact.key()))
    }
}
