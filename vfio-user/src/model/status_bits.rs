//! The status register.

use bitflags::bitflags;

use super::spec::status;

bitflags! {
    /// The bits of the status register (PCI Local Bus Specification 3.0, 6.2.3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct StatusBits: u16 {
        /// INTx is asserted, whether it is disabled or not.
        const INTERRUPT = status::INTERRUPT;
        /// The function has a capability list.
        const CAPABILITIES_LIST = status::CAPABILITIES_LIST;
        /// The function has signalled an error.
        const SIGNALED_SYSTEM_ERROR = status::SIGNALED_SYSTEM_ERROR;
        /// All error bits, which software clears by writing ones.
        const ERRORS = status::ERRORS;
    }
}
