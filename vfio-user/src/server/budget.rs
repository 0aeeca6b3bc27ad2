//! The limit of work that one session may do before the other sessions run.

use std::time::{Duration, Instant};

/// A turn: one message, and more while they are few and quick.
#[derive(Debug)]
pub(super) struct Budget {
    messages: u32,
    until: Option<Instant>,
}

impl Budget {
    const MESSAGES: u32 = 32;
    const TIME: Duration = Duration::from_micros(50);

    /// The budget of a session that shares its thread.
    pub(super) fn shared() -> Self {
        Budget { messages: Self::MESSAGES, until: Some(Instant::now() + Self::TIME) }
    }

    /// The budget of a session that has its thread to itself.
    pub(super) fn unlimited() -> Self {
        Budget { messages: u32::MAX, until: None }
    }

    pub(super) fn is_spent(&self) -> bool {
        let late = |until| self.messages < Self::MESSAGES && Instant::now() >= until;
        self.messages == 0 || self.until.is_some_and(late)
    }

    pub(super) fn spend(&mut self) {
        self.messages -= 1;
    }
}
