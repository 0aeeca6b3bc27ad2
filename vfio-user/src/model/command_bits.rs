//! The command register.

use bitflags::bitflags;

use super::spec::command;

bitflags! {
    /// The bits of the command register by which software enables a function (PCI Local Bus
    /// Specification 3.0, 6.2.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct CommandBits: u16 {
        /// The function responds to accesses of its I/O space.
        const IO_SPACE = command::IO_SPACE;
        /// The function responds to accesses of its memory space.
        const MEMORY_SPACE = command::MEMORY_SPACE;
        /// The function may access memory and send messages.
        const BUS_MASTER = command::BUS_MASTER;
        /// The function does not assert INTx.
        const INTERRUPT_DISABLE = command::INTERRUPT_DISABLE;
    }
}
