//! Registers that are not tested.

use std::fmt;

/// Why the policies of a register are not tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Exempt {
    /// Its author said so.
    Excluded,
    /// A hook computes its value.
    ReadWith,
    /// A hook decides what a write does.
    WriteWith,
    /// Its value changes without a write, and a hook may do it at once.
    Volatile,
    /// No access that its BAR accepts reaches it alone.
    Unreachable,
}

impl fmt::Display for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exempt::Excluded => "excluded",
            Exempt::ReadWith => "read_with",
            Exempt::WriteWith => "write_with",
            Exempt::Volatile => "volatile",
            Exempt::Unreachable => "no access reaches it alone",
        })
    }
}
