//! A record of the resets that hooks perform.

use std::cell::{Cell, RefCell};

use crate::model::ResetScope;

/// The resets of the hook that runs. What the runtime keeps beside the registers follows them as
/// soon as the hook has returned.
#[derive(Debug, Default)]
pub(crate) struct SoftResets {
    any: Cell<bool>,
    /// Those that the registers' state and composed interrupts have to follow.
    unfollowed: RefCell<Vec<ResetScope>>,
    /// Those that shared memory has to show.
    unshown: RefCell<Vec<ResetScope>>,
    /// The domains whose reset runs, a bit for each.
    pub(super) running: Cell<u8>,
    /// The domains that have been reset, a bit for each.
    pub(super) used: Cell<u8>,
}

impl SoftResets {
    /// Returns whether the last hook has reset anything.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.get()
    }

    pub(crate) fn take_unfollowed(&self) -> Vec<ResetScope> {
        self.any.set(false);
        self.unfollowed.take()
    }

    pub(crate) fn take_unshown(&self) -> Vec<ResetScope> {
        if self.unshown.borrow().is_empty() { Vec::new() } else { self.unshown.take() }
    }

    /// Returns the domains that have ever been reset, a bit for each.
    pub(crate) fn used(&self) -> u8 {
        self.used.get()
    }

    pub(super) fn note(&self, scope: ResetScope) {
        self.any.set(true);
        self.unfollowed.borrow_mut().push(scope);
        self.unshown.borrow_mut().push(scope);
    }
}
