//! What a guest lets a function do.

use crate::model::spec::cfg;
use crate::model::spec::command::{BUS_MASTER, IO_SPACE, MEMORY_SPACE};

/// The bits of the command register that a write to configuration space puts to use; the register
/// held `before` and holds `after`.
///
/// Bus master is in use as soon as the register is written at all, whatever is written: a guest that
/// writes 0 wants no accesses to its memory, also if a client before it had enabled them. Memory and
/// I/O space are in use once they have been set, or cleared: clients without a guest enable bus
/// master alone and access BARs nevertheless.
pub(super) fn used_by(offset: usize, len: usize, before: u16, after: u16) -> u16 {
    let is_written = offset <= cfg::COMMAND && cfg::COMMAND < offset + len;
    if is_written { BUS_MASTER | before | after } else { 0 }
}

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
