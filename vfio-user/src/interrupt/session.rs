//! Which interrupts belong to work of a session that has ended.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::{Interrupts, State};

/// The number of a session: the time between two events that end the work of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session(u64);

impl Interrupts {
    /// The current session.
    pub(super) fn session(&self) -> Session {
        Session(self.session.load(Ordering::Relaxed))
    }

    /// The state, while `session` goes on. It cannot end before the guard is dropped.
    pub(super) fn state_in(&self, session: Session) -> Option<MutexGuard<'_, State>> {
        let state = self.state();
        (self.session() == session).then_some(state)
    }

    /// Ends the session: a handle that was obtained in it raises nothing any more, on whichever thread.
    /// What is raised already stays as it is.
    pub(crate) fn end_session(&self) {
        self.end_session_of(&mut self.state());
    }

    /// The same, under the lock, so that no handle is half-way through what it does.
    pub(super) fn end_session_of(&self, _: &mut State) {
        self.session.fetch_add(1, Ordering::Relaxed);
    }
}
