//! The hooks of a register.

/// A hook of a register, by its attribute in `#[reg(..)]` or `#[intr(..)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Replaces the load.
    ReadWith,
    /// Replaces the store.
    WriteWith,
    /// Observes a load.
    OnRead,
    /// Observes a store.
    OnWrite,
    /// Runs after a write, with or without a known value.
    Kick,
    /// Returns whether the register ignores writes.
    LockWith,
    /// Computes the status of a composed interrupt.
    StatusWith,
    /// Observes what a composed interrupt has pending.
    OnComposed,
}

impl HookKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [HookKind; 8] = [
        HookKind::ReadWith,
        HookKind::WriteWith,
        HookKind::OnRead,
        HookKind::OnWrite,
        HookKind::Kick,
        HookKind::LockWith,
        HookKind::StatusWith,
        HookKind::OnComposed,
    ];

    /// Returns the name of the attribute.
    pub const fn name(self) -> &'static str {
        match self {
            HookKind::ReadWith => "read_with",
            HookKind::WriteWith => "write_with",
            HookKind::OnRead => "on_read",
            HookKind::OnWrite => "on_write",
            HookKind::Kick => "kick",
            HookKind::LockWith => "lock_with",
            HookKind::StatusWith => "status_with",
            HookKind::OnComposed => "on_composed",
        }
    }

    /// Returns the kind of an attribute; `None` if the attribute is no hook.
    pub fn from_name(name: &str) -> Option<Self> {
        HookKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns whether a read of the register calls the hook.
    pub const fn is_of_reads(self) -> bool {
        matches!(self, HookKind::ReadWith | HookKind::OnRead)
    }

    /// Returns whether the composed interrupt of the register calls the hook.
    pub const fn is_of_interrupts(self) -> bool {
        matches!(self, HookKind::StatusWith | HookKind::OnComposed)
    }

    /// Returns whether a write of the register calls the hook.
    pub const fn is_of_writes(self) -> bool {
        !self.is_of_reads() && !self.is_of_interrupts()
    }
}
