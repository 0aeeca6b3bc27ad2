//! What a guest lets a function do.

use super::spec::command::{BUS_MASTER, IO_SPACE, MEMORY_SPACE};

/// What a function does at all: answer at its BARs, access memory and send messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gates {
    pub(crate) memory: bool,
    pub(crate) ports: bool,
    pub(crate) master: bool,
}

impl Gates {
    const CLOSED: Gates = Gates { memory: false, ports: false, master: false };

    /// What the command register says, of its bits that software has used at all: clients without a
    /// guest set none, or bus master alone. A function that sleeps does nothing.
    pub(super) fn of(command: u16, used: u16, is_awake: bool) -> Self {
        let open = |bit| command & bit != 0 || used & bit == 0;
        if !is_awake {
            return Gates::CLOSED;
        }
        Gates { memory: open(MEMORY_SPACE), ports: open(IO_SPACE), master: open(BUS_MASTER) }
    }
}
