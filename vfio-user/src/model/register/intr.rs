//! Interrupts that the runtime composes from registers, as they are declared.

use super::{Hooks, Register};

/// A status register whose bits raise an interrupt, and the registers that let them.
///
/// The level of the interrupt is whether any bit is set in the status, set in `enable` and clear in
/// `mask`. It is looked at after every access and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intr {
    /// Place of the status register in the declaration.
    pub status: usize,
    /// Place of the register whose ones let bits through; all get through without one.
    pub enable: Option<usize>,
    /// Place of the register whose ones hold bits back.
    pub mask: Option<usize>,
    /// What a bit of the status stands for.
    pub trigger: Trigger,
    /// Number of the interrupt source.
    pub vector: u16,
}

/// What a bit of a status register stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trigger {
    /// Something has happened; software clears the bit. Every bit that gets set sends a message.
    #[default]
    Event,
    /// Something is the case; the device sets and clears the bit. The first bit sends a message.
    Level,
}

impl Intr {
    /// An event of every bit of the register at `status`, as interrupt 0.
    pub const fn new(status: usize) -> Self {
        Intr { status, enable: None, mask: None, trigger: Trigger::Event, vector: 0 }
    }

    /// Lets through the ones of the register at `place`.
    #[must_use]
    pub const fn enable(mut self, place: usize) -> Self {
        self.enable = Some(place);
        self
    }

    /// Holds back the ones of the register at `place`.
    #[must_use]
    pub const fn mask(mut self, place: usize) -> Self {
        self.mask = Some(place);
        self
    }

    /// The bits are levels.
    #[must_use]
    pub const fn level(mut self) -> Self {
        self.trigger = Trigger::Level;
        self
    }

    /// Another interrupt source than 0.
    #[must_use]
    pub const fn vector(mut self, vector: u16) -> Self {
        self.vector = vector;
        self
    }
}

impl Register {
    /// Whether software can clear bits, by the policies.
    pub(crate) const fn is_clearable(&self) -> bool {
        self.access().clearable() != 0 || self.has(Hooks::WRITE_WITH)
    }
}
