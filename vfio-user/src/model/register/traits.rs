//! What registers have, besides a policy.

use bitflags::bitflags;

bitflags! {
    /// Which hooks a register has.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Hooks: u8 {
        /// `read_with` replaces the load.
        const READ_WITH = 1 << 0;
        /// `write_with` replaces the store.
        const WRITE_WITH = 1 << 1;
        /// `on_read` observes a load.
        const ON_READ = 1 << 2;
        /// `on_write` observes a store.
        const ON_WRITE = 1 << 3;
        /// `kick` runs after a write, whose value may be unknown.
        const KICK = 1 << 4;
    }
}

bitflags! {
    /// What is special about a register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Traits: u8 {
        /// Read and written as a whole, although in parts; see [`Commit`].
        const WIDE = 1 << 0;
        /// The value changes without a write.
        const VOLATILE = 1 << 1;
        /// All that is written clears itself.
        const PULSE = 1 << 2;
        /// Keeps its value over every reset.
        const STICKY = 1 << 3;
        /// Keeps its value over a function-level reset.
        const KEEP_ON_FLR = 1 << 4;
        /// In shared memory: guests write it without a message.
        const WATCH = 1 << 5;
    }
}

/// When the parts that were written to a wide register take effect together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    /// Once every byte has been written, in any order.
    #[default]
    Whole,
    /// Once all bytes of the upper half have been written.
    High,
    /// Once all bytes of the lower half have been written.
    Low,
}

/// Since when a register exists, and what older versions take for granted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The version of the device's state.
    pub since: u16,
    /// What it holds in the state of an older version.
    pub default: u64,
}

/// What the generated tests spare a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untested {
    /// They leave it alone.
    All,
    /// They access it, but do not look whether its policies hold: its hooks do something else.
    Policies,
}
