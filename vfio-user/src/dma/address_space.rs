//! How much address space, how many mappings and descriptors the files of clients may take.
//!
//! They belong to the process: a client that took all of them would fail the next request of another
//! tenant. So each device has a budget, and all devices together leave room.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nix::sys::resource::{Resource, getrlimit};

use crate::protocol::Errno;

/// A process has 128 TiB of address space.
const PROCESS_BYTES: u64 = 64 << 40;
const DEVICE_BYTES: u64 = 16 << 40;
/// The kernel's default for `vm.max_map_count`.
const DEFAULT_MAPPINGS: u64 = 65_530;
/// Descriptors that a device may keep whatever the limit of the process.
const DEVICE_DESCRIPTORS: u64 = 64;

/// What is in use.
#[derive(Debug, Default)]
struct Usage {
    bytes: AtomicU64,
    mappings: AtomicU64,
    descriptors: AtomicU64,
}

static PROCESS: Usage =
    Usage { bytes: AtomicU64::new(0), mappings: AtomicU64::new(0), descriptors: AtomicU64::new(0) };

/// What the files of one device take.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<Usage>);

/// The part of a budget that one mapping takes. It is returned when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    device: Arc<Usage>,
    bytes: u64,
}

/// The part of a budget that one descriptor takes. It is returned when this is dropped.
#[derive(Debug)]
pub(super) struct Descriptor(Arc<Usage>);

impl Budget {
    /// Takes one descriptor, of a quarter of those that the process may open.
    ///
    /// # Errors
    ///
    /// EMFILE if that is more than the device may have.
    pub(super) fn take_descriptor(&self) -> Result<Descriptor, Errno> {
        let used = &self.0.descriptors;
        // Most devices keep few: only the others cost a system call.
        let taken = take(used, 1, DEVICE_DESCRIPTORS)
            .or_else(|_| take(used, 1, max_descriptors().max(DEVICE_DESCRIPTORS)));
        taken.map_err(|_| Errno::EMFILE)?;
        Ok(Descriptor(Arc::clone(&self.0)))
    }

    /// Takes one mapping of so many bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM if that is more than the device, or the process, may have.
    pub(super) fn take(&self, bytes: u64) -> Result<Share, Errno> {
        let mappings = max_mappings();
        self.0.take(bytes, DEVICE_BYTES, mappings / 4)?;
        if let Err(errno) = PROCESS.take(bytes, PROCESS_BYTES, mappings / 2) {
            self.0.give_back(bytes);
            return Err(errno);
        }
        Ok(Share { device: Arc::clone(&self.0), bytes })
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
    }
}

/// Descriptors that a device may keep under the limit of the process, which may change.
fn max_descriptors() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft / 4)
}

fn take(used: &AtomicU64, more: u64, max: u64) -> Result<(), Errno> {
    let sum = |used: u64| used.checked_add(more).filter(|sum| *sum <= max);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).map_err(|_| Errno::ENOMEM)?;
    Ok(())
}

/// Mappings that a process may have at all.
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
    fn a_device_gets_its_budget_and_returns_it() {
        let budget = Budget::default();
        let shares: Vec<_> = (0..4).map(|_| budget.take(4 * TIB).unwrap()).collect();
        for more in [1, TIB, u64::MAX] {
            assert_eq!(budget.take(more).unwrap_err(), Errno::ENOMEM);
        }
        drop(shares);
        assert_eq!(budget.take(DEVICE_BYTES + 1).unwrap_err(), Errno::ENOMEM);
        budget.take(DEVICE_BYTES).unwrap();
        let mut shares = Vec::new();
        while let Ok(share) = budget.take(1) {
            shares.push(share);
        }
        assert_eq!(shares.len() as u64, max_mappings() / 4);
        drop(shares);
        budget.take(1).unwrap();
    }
}
