//! A description of how state migrates.

use std::borrow::Cow;
use std::ops::Range;

/// The migration of the private state of a device or a block, as declared with `#[migrate(..)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLayout {
    /// Version of the state; raised with every change.
    pub version: u16,
    /// The oldest version whose state can be loaded.
    pub min: u16,
    /// The private fields, without skipped ones.
    pub fields: &'static [StateField],
    /// The names in older versions that no longer exist. The runtime drops them from older state.
    pub removed: &'static [&'static str],
}

/// The migration of one private field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateField {
    /// Its name in the stream.
    pub name: &'static str,
    /// Its type, as written in the source.
    pub ty: &'static str,
    /// The version that added it; 0 if the first version had it.
    pub since: u16,
    /// Its value in the state of an older version, as written in the source.
    pub default: Option<&'static str>,
    /// Its names in older streams.
    pub renamed_from: &'static [&'static str],
    /// The most elements of a collection.
    pub max_len: Option<u64>,
    /// The most elements of the collections in it, the outermost first.
    pub inner_max_len: &'static [u64],
    /// The number of elements of an array.
    pub elements: Option<u64>,
    /// The numbers of elements that the array had in older versions.
    pub grown_from: &'static [u32],
}

impl StateLayout {
    /// Creates the description of a version that loads state from version `min` on.
    pub const fn new(version: u16, min: u16, fields: &'static [StateField]) -> Self {
        StateLayout { version, min, fields, removed: &[] }
    }

    /// Adds the names of fields, registers, timers and blocks that only older versions have.
    #[must_use]
    pub const fn with_removed(mut self, names: &'static [&'static str]) -> Self {
        self.removed = names;
        self
    }
}

impl StateField {
    /// Creates the description of a field of the first version.
    pub const fn new(name: &'static str, ty: &'static str) -> Self {
        StateField {
            name,
            ty,
            since: 0,
            default: None,
            renamed_from: &[],
            max_len: None,
            inner_max_len: &[],
            elements: None,
            grown_from: &[],
        }
    }

    /// Sets the version that added the field. While the field has the value that an older version
    /// assumes, that version ignores it.
    #[must_use]
    pub const fn with_since(mut self, version: u16) -> Self {
        self.since = version;
        self
    }

    /// Sets the value in the state of an older version, as written in the source.
    #[must_use]
    pub const fn with_default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Sets the names in older streams.
    #[must_use]
    pub const fn with_old_names(mut self, names: &'static [&'static str]) -> Self {
        self.renamed_from = names;
        self
    }

    /// Sets the number of elements of an array.
    #[must_use]
    pub const fn with_elements(mut self, count: u64) -> Self {
        self.elements = Some(count);
        self
    }

    /// Sets the numbers of elements that the array had in older versions.
    #[must_use]
    pub const fn with_grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// Returns the parts of an array that has grown, as they are written; a single part for other
    /// fields.
    pub fn parts(&self) -> Vec<Part> {
        let count = self.elements.and_then(|count| usize::try_from(count).ok());
        parts(count.unwrap_or(usize::MAX), self.grown_from).collect()
    }

    /// Sets the most elements of a collection.
    #[must_use]
    pub const fn with_max_len(mut self, len: u64) -> Self {
        self.max_len = Some(len);
        self
    }

    /// Sets the most elements of a collection whose type bounds it.
    #[must_use]
    pub const fn with_capacity(mut self, len: Option<u64>) -> Self {
        if len.is_some() {
            self.max_len = len;
        }
        self
    }

    /// Sets the most elements of the collections in a collection, the outermost first.
    #[must_use]
    pub const fn with_inner_max_len(mut self, lens: &'static [u64]) -> Self {
        self.inner_max_len = lens;
        self
    }
}

/// The elements of an array that a version added, or those of its first version. Each part is
/// written separately, so that versions with fewer elements can read the parts that they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part(Range<usize>);

impl Part {
    /// Returns the indices of its elements.
    pub fn elements(&self) -> Range<usize> {
        self.0.clone()
    }

    /// Returns the part of an array that has `count` elements for each of these.
    pub(crate) fn times(&self, count: usize) -> Self {
        Part(self.0.start * count..self.0.end * count)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the array started with these elements.
    pub(crate) fn is_first(&self) -> bool {
        self.0.start == 0
    }

    /// Returns the name of the part in a stream: that of the array, and the index where the part
    /// starts.
    pub(crate) fn name<'n>(&self, array: &'n str) -> Cow<'n, str> {
        if self.is_first() {
            return Cow::Borrowed(array);
        }
        Cow::Owned(format!("{array}.{}", self.0.start))
    }
}

/// Whether a field or a section was removed, by its name or as a part of a removed array.
pub(crate) fn is_removed<N: AsRef<str>>(removed: &[N], name: &str) -> bool {
    let is_part = |rest: &str| {
        rest.strip_prefix('.').is_some_and(|start| start.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let covers = |array: &N| {
        name.strip_prefix(array.as_ref()).is_some_and(|rest| rest.is_empty() || is_part(rest))
    };
    removed.iter().any(covers)
}

/// Returns the parts of an array of `count` elements. It allocates nothing: each save and load
/// calls it for every register.
pub(crate) fn parts(count: usize, grown_from: &[u32]) -> impl Iterator<Item = Part> + use<'_> {
    let grown_from = grown_from.iter().map(|count| *count as usize);
    let ends = grown_from.filter(move |end| *end < count).chain([count]);
    ends.scan(0, |start, end| Some(Part(std::mem::replace(start, end)..end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_a_part_for_each_growth() {
        let found = |count, grown_from: &[u32]| {
            let parts = parts(count, grown_from);
            parts.map(|part| (part.name("x").into_owned(), part.len())).collect::<Vec<_>>()
        };
        assert_eq!(found(3, &[]), [("x".to_owned(), 3)]);
        assert_eq!(found(16, &[8]), [("x".to_owned(), 8), ("x.8".to_owned(), 8)]);
        let three = [("x".to_owned(), 1), ("x.1".to_owned(), 3), ("x.4".to_owned(), 2)];
        assert_eq!(found(6, &[1, 4]), three);
    }

    #[test]
    fn an_array_is_removed_with_its_parts() {
        let removed = ["x", "block.q"];
        let is_removed = |name| is_removed(&removed, name);
        assert!(["x", "x.8", "x.16", "block.q", "block.q.2"].into_iter().all(is_removed));
        assert!(!["xy", "y.8", "block.x", "block.qq", "q.2", "x.y"].into_iter().any(is_removed));
    }
}
