//! Registers that are not tested.

use std::fmt;

use crate::layout::HookKind;

/// The reason why the policies of a register are not tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Exempt {
    /// The author excluded the register.
    Excluded,
    /// It is a window; what it reaches is tested through it.
    Window,
    /// A hook computes its value.
    ReadWith,
    /// A hook determines the effect of a write.
    WriteWith,
    /// A hook decides whether a write is ignored.
    LockWith,
    /// The value changes without a write, and a hook may change it at once.
    Volatile,
    /// No access that the BAR accepts reaches the register alone.
    Unreachable,
}

impl fmt::Display for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exempt::Excluded => "excluded",
            Exempt::Window => "a window",
            Exempt::ReadWith => HookKind::ReadWith.name(),
            Exempt::WriteWith => HookKind::WriteWith.name(),
            Exempt::LockWith => HookKind::LockWith.name(),
            Exempt::Volatile => "volatile",
            Exempt::Unreachable => "no access reaches it alone",
        })
    }
}
