//! Memory of a device that its clients map: shared BARs.

mod error;
mod memory;
mod runs;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

use nix::unistd::Whence;

pub(crate) use error::SetupError;
pub use error::{SharedError, SharedFileError};
pub(crate) use runs::DataRuns;

use crate::model::{Descriptor, RegionMapping, RegisterValue, SharedFile};
pub use crate::sys::Atomic;
use memory::SharedMemory;
pub(crate) use memory::sealed;

/// The shared memory of a BAR, which guests map and access without a message.
///
/// This is a handle: clone it, move it to a worker. Offsets count from the start of the BAR. The
/// guest may change the memory at any time, so no reference into it exists; bytes are copied, and
/// words loaded and stored, by volatile accesses. The memory starts as zeros, unless the device
/// supplies a file, and keeps its contents over every reset:
/// [`Device::reset`](crate::Device::reset) may [`clear`](Self::clear) it.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use vfio_user::{Bench, Cx, Device, PciDevice, Result};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x4000, shared(0x1000..0x4000))]
/// struct Mailbox {
///     #[reg(0x00, ro, reset = 1)]
///     version: u32,
/// }
///
/// impl Device for Mailbox {
///     type Event = ();
///
///     fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
///         let shared = cx.shared(0).clone();
///         std::thread::spawn(move || shared.store(0x1000, 0xcafe_u32)).join().unwrap()?;
///         Ok(())
///     }
/// }
///
/// let mut bench = Bench::new(Mailbox::default())?;
/// assert_eq!(bench.read::<u32>(0, 0x1000), 0xcafe);
/// bench.write(0, 0x1000, 7_u32);
/// let shared = bench.shared(0);
/// let before = shared.atomic(0x1000, |count: &AtomicU32| count.fetch_add(1, Ordering::SeqCst))?;
/// assert_eq!((before, shared.load::<u32>(0x1000)?), (7, 8));
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shared(Option<Arc<SharedMemory>>);

impl Shared {
    /// The handle for a BAR that is not shared.
    pub(crate) const ABSENT: Self = Shared(None);

    /// Creates the memory of a BAR as declared; [absent](Self::is_absent) if the BAR is not shared.
    pub(crate) fn new(descriptor: &Descriptor, bar: u8) -> Result<Self, SetupError> {
        Ok(Shared(SharedMemory::new(descriptor, bar)?.map(Arc::new)))
    }

    /// Returns whether the BAR has no shared memory.
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Returns its ranges in the BAR: disjoint, in ascending order. Empty if the BAR is not shared.
    pub fn areas(&self) -> &[Range<u64>] {
        self.0.as_ref().map_or(&[], |memory| &memory.areas)
    }

    /// Copies bytes out of it.
    ///
    /// # Errors
    ///
    /// [`SharedError::Outside`], and [`SharedError::Lost`] if the file behind it was truncated.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), SharedError> {
        let (memory, at) = self.locate(offset, data.len() as u64)?;
        Ok(memory.mapping.read(at, data)?)
    }

    /// Copies bytes into it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), SharedError> {
        let (memory, at) = self.locate(offset, data.len() as u64)?;
        Ok(memory.mapping.write(at, data)?)
    }

    /// Sets every byte of a range to `byte`. For zeros, [`clear`](Self::clear) is better.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn fill(&self, range: Range<u64>, byte: u8) -> Result<(), SharedError> {
        let (memory, at) = self.locate(range.start, range.end.saturating_sub(range.start))?;
        memory.fill(at, range, byte)
    }

    /// Fills all of it with zeros, and returns the pages to the system. Clients that have mapped it
    /// see zeros, too.
    ///
    /// # Errors
    ///
    /// [`SharedError::Lost`] if the file behind it was truncated.
    pub fn clear(&self) -> Result<(), SharedError> {
        self.areas().iter().try_for_each(|area| self.clear_range(area.clone()))
    }

    /// Fills a range with zeros, and returns its pages to the system.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn clear_range(&self, range: Range<u64>) -> Result<(), SharedError> {
        let (memory, at) = self.locate(range.start, range.end.saturating_sub(range.start))?;
        memory.clear(at, range)
    }

    /// Returns the first byte from `offset` on that may be non-zero. Memory that was never touched
    /// has no pages and can be skipped.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        self.0.as_ref()?.seek(offset, Whence::SeekData)
    }

    /// Returns the first byte from `offset` on that has no page.
    pub(crate) fn next_hole(&self, offset: u64) -> Option<u64> {
        self.0.as_ref()?.seek(offset, Whence::SeekHole)
    }

    /// Returns the number of bytes that the file holds, which may exceed the shared part.
    pub(crate) fn held(&self) -> u64 {
        self.0.as_ref().map_or(0, |memory| memory.held())
    }

    /// Loads a word of 1, 2, 4 or 8 bytes, little-endian, in one access with acquire ordering:
    /// later accesses see what the other side stored before the word.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`SharedError::Misaligned`].
    pub fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, SharedError> {
        Ok(T::from_bits(self.load_bits(offset, T::WIDTH)?))
    }

    pub(crate) fn load_bits(&self, offset: u64, width: u8) -> Result<u64, SharedError> {
        load_word(offset, width, |bytes| self.read(offset, bytes))
    }

    /// Stores a word, as [`load`](Self::load), with release ordering: a reader that sees the word
    /// also sees what was stored before it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), SharedError> {
        store_word(offset, value, |bytes| self.write(offset, bytes))
    }

    /// Operates on a word atomically, in the byte order of the host.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, SharedError> {
        let width = aligned(offset, size_of::<A>())?;
        let (memory, at) = self.locate(offset, width as u64)?;
        Ok(memory.mapping.atomic(at, operation)?)
    }

    /// Replaces a word that holds `old`. Returns whether it did.
    #[expect(clippy::cast_possible_truncation, reason = "a word has no more bits")]
    pub(crate) fn exchange_bits(&self, offset: u64, width: u8, old: u64, new: u64) -> bool {
        const ORDER: Ordering = Ordering::AcqRel;
        const FAILED: Ordering = Ordering::Relaxed;
        let exchanged = match width {
            1 => self.atomic(offset, |word: &AtomicU8| {
                word.compare_exchange(old as u8, new as u8, ORDER, FAILED).is_ok()
            }),
            2 => self.atomic(offset, |word: &AtomicU16| {
                let (old, new) = ((old as u16).to_le(), (new as u16).to_le());
                word.compare_exchange(old, new, ORDER, FAILED).is_ok()
            }),
            4 => self.atomic(offset, |word: &AtomicU32| {
                let (old, new) = ((old as u32).to_le(), (new as u32).to_le());
                word.compare_exchange(old, new, ORDER, FAILED).is_ok()
            }),
            _ => self.atomic(offset, |word: &AtomicU64| {
                word.compare_exchange(old.to_le(), new.to_le(), ORDER, FAILED).is_ok()
            }),
        };
        exchanged.unwrap_or(false)
    }

    /// Returns the description of the mapping for clients.
    pub(crate) fn mapping(&self) -> Option<RegionMapping<'_>> {
        self.0.as_ref().map(|memory| memory.region_mapping())
    }

    /// Returns the file that clients map; `None` if the BAR is not shared.
    pub(crate) fn file(&self) -> Option<&SharedFile> {
        self.0.as_ref().map(|memory| memory.file())
    }

    /// Uses the file of another program, whose clients have mapped it.
    ///
    /// # Errors
    ///
    /// If the BAR is not shared, or the file cannot be its memory.
    pub(crate) fn adopt(&self, bar: u8, file: &SharedFile) -> Result<(), SetupError> {
        let memory = self.0.as_ref().ok_or(SharedFileError::NotShared { bar })?;
        memory.adopt(bar, file)
    }

    /// Returns the first area that ends after `offset`.
    fn area_after(&self, offset: u64) -> usize {
        self.areas().partition_point(|area| area.end <= offset)
    }

    /// Returns the position of a range in the mapping, if it is shared.
    fn locate(&self, offset: u64, len: u64) -> Result<(&SharedMemory, usize), SharedError> {
        let outside = SharedError::Outside { offset, len };
        let (Some(memory), Some(end)) = (&self.0, offset.checked_add(len)) else {
            return Err(outside);
        };
        let area = self.areas().get(self.area_after(offset));
        area.filter(|area| area.start <= offset && end <= area.end).ok_or(outside)?;
        // A mapped byte has an address.
        let at = usize::try_from(offset).map_err(|_| outside)?;
        Ok((memory, at))
    }
}

/// Returns the width of an access that is aligned to it.
pub(crate) fn aligned(offset: u64, width: usize) -> Result<usize, SharedError> {
    if offset.is_multiple_of(width as u64) {
        return Ok(width);
    }
    Err(SharedError::Misaligned { offset, width })
}

/// Loads an aligned word with acquire ordering.
pub(crate) fn load_word(
    offset: u64,
    width: u8,
    read: impl FnOnce(&mut [u8]) -> Result<(), SharedError>,
) -> Result<u64, SharedError> {
    let mut bytes = [0; 8];
    read(&mut bytes[..aligned(offset, width.into())?])?;
    fence(Ordering::Acquire);
    Ok(u64::from_le_bytes(bytes))
}

/// Stores an aligned word with release ordering.
pub(crate) fn store_word<T: RegisterValue>(
    offset: u64,
    value: T,
    write: impl FnOnce(&[u8]) -> Result<(), SharedError>,
) -> Result<(), SharedError> {
    let width = aligned(offset, T::WIDTH.into())?;
    fence(Ordering::Release);
    write(&value.to_bits().to_le_bytes()[..width])
}

#[cfg(test)]
mod tests;
