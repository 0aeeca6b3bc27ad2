//! The accesses that a guest enables.

use crate::model::spec::cfg;
use crate::model::spec::command::{BUS_MASTER, IO_SPACE, MEMORY_SPACE};

/// Returns the bits of the command register that a write to configuration space takes into use; the
/// register held `before` and holds `after`.
///
/// Bus master is in use as soon as the register is written with any value: a guest that writes 0
/// disables accesses to its memory, even if a client had enabled them before. Memory and I/O space
/// are in use once they have been set or cleared: clients without a guest enable bus master alone
/// and access BARs nevertheless.
pub(super) fn used_by(offset: usize, len: usize, before: u16, after: u16) -> u16 {
    let is_written = offset <= cfg::COMMAND && cfg::COMMAND < offset + len;
    if is_written { BUS_MASTER | before | after } else { 0 }
}

/// The accesses that are enabled: to the function's BARs, and by the function to memory and for
/// messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecodeEnables {
    pub(crate) memory: bool,
    pub(crate) ports: bool,
    pub(crate) master: bool,
}

impl DecodeEnables {
    const NONE: DecodeEnables = DecodeEnables { memory: false, ports: false, master: false };

    /// Evaluates the bits of the command register that software has used: clients without a guest
    /// set none, or bus master alone. A function that sleeps has everything disabled.
    pub(super) fn of(command: u16, used: u16, is_awake: bool) -> Self {
        let open = |bit| command & bit != 0 || used & bit == 0;
        if !is_awake {
            return DecodeEnables::NONE;
        }
        DecodeEnables {
            memory: open(MEMORY_SPACE),
            ports: open(IO_SPACE),
            master: open(BUS_MASTER),
        }
    }
}
