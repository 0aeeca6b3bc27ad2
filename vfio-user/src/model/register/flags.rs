//! Properties of registers, besides their policy.

use bitflags::bitflags;

use crate::layout::HookKind;

bitflags! {
    /// The hooks of a register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Hooks: u8 {
        /// `read_with` replaces the load.
        const READ_WITH = 1 << HookKind::ReadWith as u8;
        /// `write_with` replaces the store.
        const WRITE_WITH = 1 << HookKind::WriteWith as u8;
        /// `on_read` observes a load.
        const ON_READ = 1 << HookKind::OnRead as u8;
        /// `on_write` observes a store.
        const ON_WRITE = 1 << HookKind::OnWrite as u8;
        /// `kick` runs after a write, with or without a known value.
        const KICK = 1 << HookKind::Kick as u8;
        /// `lock_with` decides whether a write is ignored.
        const LOCK_WITH = 1 << HookKind::LockWith as u8;
        /// `status_with` computes the status of the register's composed interrupt.
        const STATUS_WITH = 1 << HookKind::StatusWith as u8;
        /// `on_composed` observes what the register's composed interrupt has pending.
        const ON_COMPOSED = 1 << HookKind::OnComposed as u8;
    }
}

bitflags! {
    /// Properties of a register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RegisterFlags: u8 {
        /// Written and read as a whole, even if accessed in parts; see [`Commit`].
        const WIDE = 1 << 0;
        /// The value changes without a write.
        const VOLATILE = 1 << 1;
        /// All written bits clear themselves.
        const PULSE = 1 << 2;
        /// Keeps its value over every reset.
        const STICKY = 1 << 3;
        /// Lies in shared memory: guests write it without a message.
        const WATCH = 1 << 4;
        /// The hooks receive the bytes of each access instead of a value.
        const PORT = 1 << 5;
        /// The byte at the lowest address is the most significant one.
        const BIG_ENDIAN = 1 << 6;
        /// Accesses go on to a BAR; see [`Window`](crate::model::Window).
        const WINDOW = 1 << 7;
    }
}

/// The write at which the parts of a wide register take effect together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commit {
    /// The write that completes all bytes, in any order.
    #[default]
    Whole,
    /// The write that completes the upper half.
    High,
    /// The write that completes the lower half.
    Low,
}

/// The version that added a register, and its value in older state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedIn {
    /// The version of the device's state.
    pub since: u16,
    /// The value in the state of an older version.
    pub default: u64,
}

/// The generated tests that skip a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untested {
    /// All of them.
    All,
    /// Those of policies: the tests access the register, but its hooks do more than its policies
    /// say.
    Policies,
}
