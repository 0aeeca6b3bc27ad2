//! How state migrates, as data.

/// How the private state of a device or a block migrates: what `#[migrate(..)]` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLayout {
    /// Of the state; raised with every change.
    pub version: u16,
    /// The oldest version whose state can be loaded.
    pub min: u16,
    /// The private fields, without those that are skipped.
    pub fields: &'static [StateField],
    /// The names of what there was in older versions. It is left out of their state.
    pub removed: &'static [&'static str],
}

/// How one private field migrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateField {
    /// Its name in the stream.
    pub name: &'static str,
    /// Its type, as it is written.
    pub ty: &'static str,
    /// The version that has added it; 0 if it was there from the start.
    pub since: u16,
    /// What it is in the state of an older version, as it is written.
    pub default: Option<&'static str>,
    /// Its names in older streams.
    pub renamed_from: &'static [&'static str],
    /// The most elements of a collection.
    pub max_len: Option<u64>,
    /// The elements of an array.
    pub elements: Option<u64>,
}

impl StateLayout {
    /// State of a version, that loads state from version `min` on.
    pub const fn new(version: u16, min: u16, fields: &'static [StateField]) -> Self {
        StateLayout { version, min, fields, removed: &[] }
    }

    /// Fields, registers, timers and blocks that there were in older versions.
    #[must_use]
    pub const fn removed(mut self, names: &'static [&'static str]) -> Self {
        self.removed = names;
        self
    }
}

impl StateField {
    /// A field that was there from the start.
    pub const fn new(name: &'static str, ty: &'static str) -> Self {
        StateField {
            name,
            ty,
            since: 0,
            default: None,
            renamed_from: &[],
            max_len: None,
            elements: None,
        }
    }

    /// Added by a version. While it is what an older version takes for granted, that one leaves it out.
    #[must_use]
    pub const fn since(mut self, version: u16) -> Self {
        self.since = version;
        self
    }

    /// What it is in the state of an older version, as it is written.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Has other names in older streams.
    #[must_use]
    pub const fn renamed_from(mut self, names: &'static [&'static str]) -> Self {
        self.renamed_from = names;
        self
    }

    /// An array of so many elements.
    #[must_use]
    pub const fn elements(mut self, count: u64) -> Self {
        self.elements = Some(count);
        self
    }

    /// A collection of at most so many elements.
    #[must_use]
    pub const fn max_len(mut self, len: u64) -> Self {
        self.max_len = Some(len);
        self
    }
}
