//! Errors on the bus.

use bitflags::bitflags;

use super::spec::command;

bitflags! {
    /// Errors that the status register of a function shows until software clears them (PCI Local Bus
    /// Specification 3.0, 6.2.3). They say what happened and do nothing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct BusErrors: u16 {
        /// Data that the function read or wrote was damaged. Shown while software wants to know of
        /// parity errors.
        const MASTER_DATA_PARITY = 1 << 8;
        /// The function refused an access.
        const SIGNALED_TARGET_ABORT = 1 << 11;
        /// What the function accessed refused that.
        const RECEIVED_TARGET_ABORT = 1 << 12;
        /// There was nothing where the function accessed something.
        const RECEIVED_MASTER_ABORT = 1 << 13;
        /// The function signalled an error that is no other. Shown while software enables that.
        const SIGNALED_SYSTEM_ERROR = 1 << 14;
        /// The function received damaged data.
        const DETECTED_PARITY_ERROR = 1 << 15;
    }
}

impl BusErrors {
    /// Those that are shown with a command register.
    pub(crate) fn shown(command: u16) -> Self {
        let mut shown = Self::all();
        shown.set(Self::MASTER_DATA_PARITY, command & command::PARITY_ERROR_RESPONSE != 0);
        shown.set(Self::SIGNALED_SYSTEM_ERROR, command & command::SERR_ENABLE != 0);
        shown
    }
}
