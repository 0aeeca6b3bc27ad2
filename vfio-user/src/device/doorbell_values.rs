//! What doorbells were rung with, for a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::shared::Shared;

/// The doorbell of no queue.
const CLOSED: u32 = u32::MAX - 1;

/// The values of doorbells of 32 bits, on their way to a [`Worker`](crate::Worker), which takes
/// them without waiting: written by messages, or to memory of the device that the client maps.
///
/// Which of the two it is may be decided at run time: `watch` registers are in shared memory unless
/// [`Descriptor::set_watching`](crate::declaration::Descriptor::set_watching) says
/// [`ByMessages`](crate::declaration::Watching::ByMessages). Their reset value is
/// [`NONE`](Self::NONE), and their `write_with` hook calls [`ring`](Self::ring). Handles to the
/// same values are clones. Values that were not taken migrate with the state that holds them; share
/// the loaded handle in [`Device::loaded`](crate::Device::loaded).
///
/// ```
/// # use vfio_user::{DoorbellValues, Shared};
/// # fn example(page: &Shared) {
/// let bells = DoorbellValues::new(0x1000, 2);
/// bells.open(page, 0);
/// // The hook of the device.
/// bells.ring(0, 5);
/// bells.ring(1, 3);
/// // A turn of the worker.
/// assert_eq!(bells.take(page, 0), Some(5));
/// assert_eq!(bells.take(page, 0), None);
/// assert!(bells.take_stray(page), "doorbell 1 is that of no queue");
/// # }
/// # let bench = vfio_user::Bench::new(Device::default()).unwrap();
/// # example(&bench.shared(0));
/// # #[derive(Default, vfio_user::PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Device {}
/// # impl vfio_user::Device for Device { type Event = (); }
/// ```
#[derive(Clone, Debug, Default)]
pub struct DoorbellValues {
    /// Where the first doorbell is in the shared memory.
    offset: u64,
    rung: Arc<Rung>,
}

#[derive(Debug, Default)]
struct Rung {
    /// What was written by messages: a value, [`DoorbellValues::NONE`], or `CLOSED`.
    values: Box<[AtomicU32]>,
    /// A message has rung a doorbell that is closed.
    has_stray: AtomicBool,
    /// The doorbell in memory that is looked at next for a ring that no queue expects.
    next: AtomicU32,
}

impl DoorbellValues {
    /// The value of a doorbell register that has not been rung.
    pub const NONE: u32 = u32::MAX;

    /// Creates `count` doorbells, which follow each other from `offset` on, and are the doorbells
    /// of no queue yet.
    pub fn new(offset: u64, count: usize) -> Self {
        Self::with(offset, (0..count).map(|_| CLOSED).collect())
    }

    fn with(offset: u64, values: Vec<u32>) -> Self {
        let values = values.into_iter().map(AtomicU32::new).collect();
        let rung = Rung { values, has_stray: AtomicBool::new(false), next: AtomicU32::new(0) };
        DoorbellValues { offset, rung: Arc::new(rung) }
    }

    /// Notes that a message has rung a doorbell. The worker has to be woken then. The two largest
    /// numbers are noted as the one below them.
    pub fn ring(&self, index: usize, value: u32) {
        match self.rung.values.get(index) {
            Some(rung) if rung.load(Ordering::Relaxed) != CLOSED => {
                rung.store(value.min(CLOSED - 1), Ordering::Release);
            }
            _ => self.rung.has_stray.store(true, Ordering::Release),
        }
    }

    /// Returns the value of an open doorbell that may have been rung: by a message since the last
    /// call, or in memory at any time since it was opened.
    #[inline]
    pub fn take(&self, page: &Shared, index: usize) -> Option<u32> {
        let rung = self.rung.values.get(index)?;
        match rung.load(Ordering::Relaxed) {
            DoorbellValues::NONE => {
                let value = page.load(self.place(index)).ok()?;
                (value != DoorbellValues::NONE).then_some(value)
            }
            CLOSED => None,
            _ => Some(rung.swap(DoorbellValues::NONE, Ordering::Acquire)),
        }
    }

    /// Makes a doorbell that of a new queue: earlier rings are forgotten, in memory as well.
    pub fn open(&self, page: &Shared, index: usize) {
        self.set(page, index, DoorbellValues::NONE);
    }

    /// Makes a doorbell that of no queue.
    pub fn close(&self, page: &Shared, index: usize) {
        self.set(page, index, CLOSED);
    }

    fn set(&self, page: &Shared, index: usize, value: u32) {
        if let Some(rung) = self.rung.values.get(index) {
            rung.store(value, Ordering::Relaxed);
            // Without shared memory there is nothing to forget.
            let _ = page.store(self.place(index), DoorbellValues::NONE);
        }
    }

    /// Makes all of them the doorbells of no queue: the driver enables the device again.
    pub fn close_all(&self, page: &Shared) {
        (0..self.rung.values.len()).for_each(|index| self.close(page, index));
        self.rung.has_stray.store(false, Ordering::Relaxed);
    }

    /// Returns whether a doorbell of no queue was rung since the last call. In memory, a call looks
    /// at one doorbell after another: call it in turns that find nothing else to do.
    pub fn take_stray(&self, page: &Shared) -> bool {
        let Rung { values, has_stray, next } = &*self.rung;
        if has_stray.load(Ordering::Relaxed) {
            return has_stray.swap(false, Ordering::Acquire);
        }
        if page.is_absent() || values.is_empty() {
            return false;
        }
        let index = next.load(Ordering::Relaxed) as usize % values.len();
        next.store(u32::try_from(index + 1).unwrap_or(0), Ordering::Relaxed);
        let is_closed = values[index].load(Ordering::Relaxed) == CLOSED;
        let rung = page.load(self.place(index)).unwrap_or(DoorbellValues::NONE);
        let is_stray = is_closed && rung != DoorbellValues::NONE;
        if is_stray {
            self.close(page, index);
        }
        is_stray
    }

    fn place(&self, index: usize) -> u64 {
        self.offset.wrapping_add(4 * index as u64)
    }
}

/// As the offset, and the value of each doorbell.
impl Serialize for DoorbellValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let load = |rung: &AtomicU32| rung.load(Ordering::Relaxed);
        let values: Vec<_> = self.rung.values.iter().map(load).collect();
        (self.offset, values).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DoorbellValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (offset, values) = Deserialize::deserialize(deserializer)?;
        Ok(DoorbellValues::with(offset, values))
    }
}
