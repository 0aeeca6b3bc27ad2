//! Declarations of interrupts that the runtime composes from registers.

use super::{Hooks, Register};

/// A status register whose bits raise an interrupt, and the registers that enable and mask them.
///
/// The level of the interrupt is high while any bit is set in the status, set in `enable` and clear
/// in `mask`. The runtime evaluates it after every access and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComposedInterrupt {
    /// The index of the status register in the declaration.
    pub status: usize,
    /// The index of the register whose ones enable bits; without one all bits are enabled.
    pub enable: Option<usize>,
    /// The index of the register whose ones mask bits.
    pub mask: Option<usize>,
    /// The meaning of a status bit.
    pub trigger: Trigger,
    /// The number of the interrupt source.
    pub vector: u16,
}

/// The meaning of a bit of a status register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trigger {
    /// An event, whose bit software clears. Every bit that gets set sends a message.
    #[default]
    Event,
    /// A condition, whose bit the device sets and clears. The first bit that gets set sends a
    /// message.
    Level,
}

impl ComposedInterrupt {
    /// Declares an event for every bit of the register at `status`, as interrupt 0.
    pub const fn new(status: usize) -> Self {
        ComposedInterrupt { status, enable: None, mask: None, trigger: Trigger::Event, vector: 0 }
    }

    /// Sets the register whose ones enable bits.
    #[must_use]
    pub const fn with_enable(mut self, register_index: usize) -> Self {
        self.enable = Some(register_index);
        self
    }

    /// Sets the register whose ones mask bits.
    #[must_use]
    pub const fn with_mask(mut self, register_index: usize) -> Self {
        self.mask = Some(register_index);
        self
    }

    /// Makes the bits levels.
    #[must_use]
    pub const fn with_level(mut self) -> Self {
        self.trigger = Trigger::Level;
        self
    }

    /// Sets the number of the interrupt source, 0 by default.
    #[must_use]
    pub const fn with_vector(mut self, vector: u16) -> Self {
        self.vector = vector;
        self
    }
}

impl Register {
    /// Returns whether software can clear bits, according to the policies.
    pub(crate) const fn is_clearable(&self) -> bool {
        self.access().clearable() != 0 || self.has(Hooks::WRITE_WITH)
    }
}
