//! The record as text.

use std::fmt;

/// The type of a field that there was.
pub(super) const REMOVED: &str = "removed";

/// What streams of a device hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) sections: Vec<Section>,
}

/// What has a version of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) id: String,
    pub(super) version: u16,
    /// The oldest that is accepted.
    pub(super) min: u16,
    pub(super) entries: Vec<Entry>,
}

/// A field, or a fact of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// How it is written; [`REMOVED`] if it is not any more.
    pub(super) ty: String,
    /// The version that has added it; 0 if it was there from the start.
    pub(super) since: u16,
    /// Its name before.
    pub(super) was: Option<String>,
}

impl Section {
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The names of what there was.
    pub(super) fn removed(&self) -> impl Iterator<Item = &str> {
        let removed = self.entries.iter().filter(|entry| entry.is_removed());
        removed.map(|entry| entry.name.as_str())
    }
}

impl Entry {
    pub(super) fn new(name: impl Into<String>, ty: impl Into<String>) -> Self {
        Entry { name: name.into(), ty: ty.into(), since: 0, was: None }
    }

    pub(super) fn is_removed(&self) -> bool {
        self.ty == REMOVED
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(": ")?;
        let (rest, was) = match rest.rsplit_once(", was ") {
            Some((rest, was)) => (rest, Some(was.to_owned())),
            None => (rest, None),
        };
        let (ty, since) = match rest.rsplit_once(", since ") {
            Some((ty, since)) => (ty, since.parse().ok()?),
            None => (rest, 0),
        };
        Some(Entry { name: name.to_owned(), ty: ty.to_owned(), since, was })
    }
}

impl Schema {
    /// Reads a record.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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
            self.sections.push(Section { id, version, min, entries: Vec::new() });
        } else {
            let entry = Entry::parse(line.strip_prefix("    ")?)?;
            self.sections.last_mut()?.entries.push(entry);
        }
        Some(())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# What a test compares. VFIO_USER_BLESS=1 records what may change.")?;
        writeln!(f, "state of {}", self.name)?;
        for Section { id, version, min, entries } in &self.sections {
            writeln!(f, "\nsection {id}, version {version}, min {min}")?;
            entries.iter().try_for_each(|entry| writeln!(f, "    {entry}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, ty, since, was } = self;
        write!(f, "{name}: {ty}")?;
        if *since > 0 {
            write!(f, ", since {since}")?;
        }
        was.iter().try_for_each(|was| write!(f, ", was {was}"))
    }
}
