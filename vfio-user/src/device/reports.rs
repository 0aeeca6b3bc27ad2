//! What a hook reports of its function, which shows in configuration space once the hook is over.

use std::cell::Cell;

use crate::pci::BusErrors;

#[derive(Debug, Default)]
pub(crate) struct Reports {
    any: Cell<bool>,
    wakes: Cell<bool>,
    errors: Cell<BusErrors>,
}

impl Reports {
    pub(super) fn wake(&self) {
        self.any.set(true);
        self.wakes.set(true);
    }

    pub(super) fn bus_errors(&self, errors: BusErrors) {
        self.any.set(true);
        self.errors.set(self.errors.get() | errors);
    }

    /// Whether there are any, since this was asked.
    #[inline]
    pub(super) fn take_any(&self) -> bool {
        self.any.replace(false)
    }

    pub(super) fn take_wake(&self) -> bool {
        self.wakes.take()
    }

    pub(super) fn take_bus_errors(&self) -> BusErrors {
        self.errors.take()
    }
}
