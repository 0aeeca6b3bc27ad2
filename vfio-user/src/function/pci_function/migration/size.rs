//! Estimates of the remaining size of a device's state (`VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`).

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::{PciDevice, PciFunction};

/// The size of the state without shared memory when it was last measured. A measurement serializes
/// the state, which may take long.
#[derive(Debug, Default)]
pub(super) struct StateSize(Cell<Option<Measured>>);

#[derive(Clone, Copy, Debug)]
struct Measured {
    bytes: u64,
    at: Instant,
    took: Duration,
}

impl Measured {
    /// The reciprocal of the largest fraction of time that measuring takes.
    const SHARE: u32 = 100;

    fn is_good(&self) -> bool {
        self.at.elapsed() < self.took.saturating_mul(Self::SHARE)
    }
}

impl StateSize {
    fn get(&self, measure: impl FnOnce() -> u64) -> u64 {
        if let Some(measured) = self.0.get().filter(Measured::is_good) {
            return measured.bytes;
        }
        let began = Instant::now();
        let bytes = measure();
        let at = Instant::now();
        self.0.set(Some(Measured { bytes, at, took: at - began }));
        bytes
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns the size of the state without shared memory, if the device stopped now.
    pub(super) fn state_size_now(&self) -> u64 {
        self.migration.state_size.get(|| self.save_state().map_or(0, |state| state.len() as u64))
    }
}
