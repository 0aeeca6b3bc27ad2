//! Errors on the bus.

use bitflags::bitflags;

use super::spec::command;

bitflags! {
    /// Errors that the status register of a function shows until software clears them (PCI Local
    /// Bus Specification 3.0, 6.2.3). They have no other effect.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct BusErrors: u16 {
        /// The function read or wrote damaged data. Shown while software enables the parity error
        /// response.
        const MASTER_DATA_PARITY = 1 << 8;
        /// The function refused an access.
        const SIGNALED_TARGET_ABORT = 1 << 11;
        /// The target of the function's access refused it.
        const RECEIVED_TARGET_ABORT = 1 << 12;
        /// No target responded to the function's access.
        const RECEIVED_MASTER_ABORT = 1 << 13;
        /// The function signalled another error. Shown while software enables SERR#.
        const SIGNALED_SYSTEM_ERROR = 1 << 14;
        /// The function received damaged data.
        const DETECTED_PARITY_ERROR = 1 << 15;
    }
}

impl BusErrors {
    /// The errors that are shown, given a command register.
    pub(crate) fn shown(command: u16) -> Self {
        let mut shown = Self::all();
        shown.set(Self::MASTER_DATA_PARITY, command & command::PARITY_ERROR_RESPONSE != 0);
        shown.set(Self::SIGNALED_SYSTEM_ERROR, command & command::SERR_ENABLE != 0);
        shown
    }
}
