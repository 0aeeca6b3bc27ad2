//! Limits on the address space, mappings and descriptors that the files of clients may take.
//!
//! These resources belong to the process: a client that took all of them would make the next
//! request of another tenant fail. So each device has a budget, and all devices together leave
//! room.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nix::sys::resource::{Resource, getrlimit};

use crate::limits::Limits;
use crate::protocol::Errno;

/// A process has 128 TiB of address space.
const PROCESS_BYTES: u64 = 64 << 40;
/// The kernel's default for `vm.max_map_count`.
const DEFAULT_MAPPINGS: u64 = 65_530;
/// The maximum descriptors of a device under a low limit, as long as all devices leave half of it.
const DEVICE_DESCRIPTORS: u64 = 64;
/// The descriptors that a device gets even if others have taken most: a guest's memory has a few
/// files.
const FIRST_DESCRIPTORS: u64 = 16;
/// The number of descriptors of all devices that no limit of a process can be too small for.
const FEW_DESCRIPTORS: u64 = 8;

/// The resources in use.
#[derive(Debug, Default)]
struct Usage {
    bytes: AtomicU64,
    mappings: AtomicU64,
    descriptors: AtomicU64,
}

static PROCESS: Usage =
    Usage { bytes: AtomicU64::new(0), mappings: AtomicU64::new(0), descriptors: AtomicU64::new(0) };

/// The budget for the files of one device.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    used: Arc<Usage>,
    /// The maximum bytes of all mappings.
    max_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { used: Arc::default(), max_bytes: Limits::DEFAULT.mapped_bytes }
    }
}

/// The part of a budget that one mapping takes; returned on drop.
#[derive(Debug)]
pub(super) struct Share {
    device: Arc<Usage>,
    bytes: u64,
}

/// The part of a budget that one descriptor takes; returned on drop.
#[derive(Debug)]
pub(super) struct Descriptor(Arc<Usage>);

impl Budget {
    /// Sets the maximum bytes of all mappings.
    pub(super) fn limit(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Takes one descriptor, from a quarter of those that the process may open, and from half of
    /// them for all devices together. The first ones of a device may come from another quarter.
    ///
    /// # Errors
    ///
    /// EMFILE if that exceeds the budget of the device, or of all devices.
    pub(super) fn take_descriptor(&self) -> Result<Descriptor, Errno> {
        // So few are within every limit, and the system is not asked for it.
        let are_few = PROCESS.descriptors.load(Ordering::Relaxed) < FEW_DESCRIPTORS;
        let limit = if are_few { Limit::NONE } else { Limit::of_process() };
        let used = &self.used.descriptors;
        take(used, 1, limit.device).map_err(|_| Errno::EMFILE)?;
        let is_first = used.load(Ordering::Relaxed) <= FIRST_DESCRIPTORS;
        let all = if is_first { limit.first } else { limit.all };
        take(&PROCESS.descriptors, 1, all).map_err(|_| {
            used.fetch_sub(1, Ordering::Relaxed);
            Errno::EMFILE
        })?;
        Ok(Descriptor(Arc::clone(&self.used)))
    }

    /// Takes one mapping of this many bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM if that exceeds the budget of the device, or of the process.
    pub(super) fn take(&self, bytes: u64) -> Result<Share, Errno> {
        let mappings = max_mappings();
        self.used.take(bytes, self.max_bytes, mappings / 4)?;
        if let Err(errno) = PROCESS.take(bytes, PROCESS_BYTES, mappings / 2) {
            self.used.give_back(bytes);
            return Err(errno);
        }
        Ok(Share { device: Arc::clone(&self.used), bytes })
    }
}

impl Usage {
    fn take(&self, bytes: u64, max_bytes: u64, max_mappings: u64) -> Result<(), Errno> {
        take(&self.bytes, bytes, max_bytes)?;
        take(&self.mappings, 1, max_mappings).inspect_err(|_| {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        })
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.mappings.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.device.give_back(self.bytes);
        PROCESS.give_back(self.bytes);
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.descriptors.fetch_sub(1, Ordering::Relaxed);
        PROCESS.descriptors.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The maximum numbers of descriptors that may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    device: u64,
    all: u64,
    /// The maximum for the first ones of a device.
    first: u64,
}

impl Limit {
    const NONE: Self = Limit { device: u64::MAX, all: u64::MAX, first: u64::MAX };

    /// Computes them from the limit of the process, which may change.
    fn of_process() -> Self {
        Self::under(getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft))
    }

    fn under(soft: u64) -> Self {
        let all = soft / 2;
        let device = (soft / 4).max(DEVICE_DESCRIPTORS).min(all);
        Limit { device, all, first: soft / 4 * 3 }
    }
}

fn take(used: &AtomicU64, more: u64, max: u64) -> Result<(), Errno> {
    let sum = |used: u64| used.checked_add(more).filter(|sum| *sum <= max);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).map_err(|_| Errno::ENOMEM)?;
    Ok(())
}

/// Returns the maximum number of mappings of a process.
fn max_mappings() -> u64 {
    static MAX: OnceLock<u64> = OnceLock::new();
    *MAX.get_or_init(|| {
        let limit = fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        limit.and_then(|limit| limit.trim().parse().ok()).unwrap_or(DEFAULT_MAPPINGS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn devices_leave_descriptors_to_the_process_whatever_its_limit() {
        for soft in [0, 1, 20, 64, 100, 128, 256, 1024, 20_000, 1 << 20, u64::MAX] {
            let Limit { device, all, first } = Limit::under(soft);
            assert!(device <= all && all <= soft / 2, "{soft}");
            assert!(first <= soft - soft / 4, "{soft}");
            assert!(soft < 128 || device >= 64, "{soft}");
        }
    }

    #[test]
    fn a_device_gets_its_budget_and_returns_it() {
        let budget = Budget::default();
        let shares: Vec<_> = (0..4).map(|_| budget.take(4 * TIB).unwrap()).collect();
        for more in [1, TIB, u64::MAX] {
            assert_eq!(budget.take(more).unwrap_err(), Errno::ENOMEM);
        }
        drop(shares);
        assert_eq!(budget.take(Limits::DEFAULT.mapped_bytes + 1).unwrap_err(), Errno::ENOMEM);
        budget.take(Limits::DEFAULT.mapped_bytes).unwrap();
        let mut shares = Vec::new();
        while let Ok(share) = budget.take(1) {
            shares.push(share);
        }
        assert_eq!(shares.len() as u64, max_mappings() / 4);
        drop(shares);
        budget.take(1).unwrap();
    }
}
