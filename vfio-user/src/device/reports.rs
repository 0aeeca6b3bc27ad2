//! Reports of hooks, which appear in configuration space when the hook returns.

use std::cell::{Cell, RefCell};

use crate::model::BusErrors;
use crate::pci::ErrorReport;

#[derive(Debug, Default)]
pub(crate) struct Reports {
    any: Cell<bool>,
    wakes: Cell<bool>,
    bus_errors: Cell<BusErrors>,
    /// In the order of the reports: only the first one is logged with its header.
    errors: RefCell<Vec<ErrorReport>>,
}

impl Reports {
    pub(crate) fn wake(&self) {
        self.any.set(true);
        self.wakes.set(true);
    }

    pub(crate) fn bus_errors(&self, errors: BusErrors) {
        self.any.set(true);
        self.bus_errors.set(self.bus_errors.get() | errors);
    }

    pub(crate) fn error(&self, report: ErrorReport) {
        self.any.set(true);
        self.errors.borrow_mut().push(report);
    }

    /// Returns whether there were any reports since the last call.
    #[inline]
    pub(crate) fn take_any(&self) -> bool {
        self.any.replace(false)
    }

    pub(crate) fn take_wake(&self) -> bool {
        self.wakes.take()
    }

    pub(crate) fn take_bus_errors(&self) -> BusErrors {
        self.bus_errors.take()
    }

    pub(crate) fn take_errors(&self) -> Vec<ErrorReport> {
        self.errors.take()
    }
}
