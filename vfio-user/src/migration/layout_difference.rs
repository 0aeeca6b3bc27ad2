//! What a refusal of a state for its layout names.

use std::fmt;

/// A part of the layout that is another one in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutDifference {
    /// What it is, such as `BAR 2`.
    pub part: String,
    /// What the stream has.
    pub theirs: String,
    /// What the device has.
    pub ours: String,
}

impl fmt::Display for LayoutDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LayoutDifference { part, theirs, ours } = self;
        write!(f, "{part}: the state has {theirs}, this device {ours}")
    }
}
