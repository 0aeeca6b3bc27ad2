//! Stores to watched registers that the device has not processed yet.

use super::PciFunction;
use crate::device::PciDevice;
use crate::function::watched::WatchedRegister;
use crate::migration::{NO_NAMES, StateError, StateReader, StateWriter};

/// BAR, offset and the value that the device has last seen there.
type Unseen = (u8, u64, u64);

const UNSEEN: &str = "unseen";

impl<D: PciDevice> PciFunction<D> {
    /// Saves unprocessed stores. Usually there are none, and nothing is saved: a device looks
    /// before it stops.
    pub(super) fn save_unseen(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let registers = self.watched.registers().iter();
        let unseen = registers.filter(|register| self.memory_of(register) != register.seen);
        let unseen: Vec<Unseen> =
            unseen.map(|register| (register.bar, register.offset, register.seen)).collect();
        if unseen.is_empty() { Ok(()) } else { out.put_named(UNSEEN, &unseen) }
    }

    /// Returns the value last seen of each watched register: the loaded contents of the memory,
    /// unless the stream has another value.
    pub(super) fn load_unseen(&self, from: &mut StateReader<'_>) -> Result<Vec<u64>, StateError> {
        let registers = self.watched.registers();
        let mut seen: Vec<_> = registers.iter().map(|register| self.memory_of(register)).collect();
        let unseen =
            from.find(UNSEEN, &NO_NAMES).map(|value| from.decoded(UNSEEN, &value)).transpose()?;
        let unseen: Vec<Unseen> = unseen.unwrap_or_default();
        for (bar, offset, bits) in unseen {
            let is_it =
                |register: &WatchedRegister| (register.bar, register.offset) == (bar, offset);
            let place = registers.iter().position(is_it).ok_or_else(|| {
                let problem = format_args!("BAR {bar} watches no register at {offset:#x}");
                from.refuse_named(UNSEEN, problem)
            })?;
            seen[place] = bits;
        }
        Ok(seen)
    }

    fn memory_of(&self, register: &WatchedRegister) -> u64 {
        register.memory(self.runtime.shared(register.bar))
    }
}
