//! The declaration of a timer.

/// A timer, or an array of timers, as a device or a block declares it.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredTimer {
    name: &'static str,
    count: u32,
    old_names: &'static [&'static str],
    doc: &'static str,
}

impl DeclaredTimer {
    /// Declares a timer.
    pub const fn new(name: &'static str) -> Self {
        DeclaredTimer { name, count: 1, old_names: &[], doc: "" }
    }

    /// Makes an array of `count` timers.
    #[must_use]
    pub const fn with_count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Sets the names of the timer in older state.
    #[must_use]
    pub const fn with_old_names(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the number of elements; 1 for a single timer.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns the names of the timer in older state.
    pub const fn old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// Returns the author's documentation.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }
}
