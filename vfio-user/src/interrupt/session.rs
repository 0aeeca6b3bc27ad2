//! Tracks which interrupts belong to a session that has ended.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::{Interrupts, State};
use crate::tape::Act;

/// The number of a session: the time between two events that end the work of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session(u64);

impl Interrupts {
    /// Returns the current session.
    pub(super) fn session(&self) -> Session {
        Session(self.session.load(Ordering::Relaxed))
    }

    /// Returns the state, unless `session` has ended. The session cannot end before the guard is
    /// dropped.
    pub(super) fn state_in(&self, session: Session) -> Option<MutexGuard<'_, State>> {
        let state = self.state();
        (self.session() == session).then_some(state)
    }

    /// Ends the session: a handle that was obtained in it raises nothing any more, on any thread.
    /// Interrupts that are raised already do not change.
    pub(crate) fn end_session(&self) {
        let mut state = self.state();
        state.note(|| Act::EndIrqs);
        self.end_session_of(&mut state);
    }

    /// Ends the session under the lock, so that no handle is in the middle of an operation.
    pub(super) fn end_session_of(&self, _: &mut State) {
        self.session.fetch_add(1, Ordering::Relaxed);
    }
}
