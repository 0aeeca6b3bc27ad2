//! Differences of the layout, which the refusal of a state names.

use std::fmt;

/// A part of the layout that differs in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayoutDifference {
    /// Name of the part, such as `BAR 2`.
    pub part: String,
    /// The part in the stream.
    pub theirs: String,
    /// The part of the device.
    pub ours: String,
}

impl fmt::Display for LayoutDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LayoutDifference { part, theirs, ours } = self;
        write!(f, "{part}: the state has {theirs}, this device {ours}")
    }
}
