//! Rings of entries that a device and its driver share.

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Dma, DmaError, DmaGuard};

/// A ring of entries in the client's memory: one end fills entries, the other end empties them, and
/// each has an index. The device advances its own index; that of the driver comes from a doorbell.
///
/// A ring of commands is filled by the driver: [`pending`](Self::pending) is how many there are. A
/// ring of completions is filled by the device: [`room`](Self::room) is how many fit.
///
/// ```
/// # use vfio_user::{Dma, DmaError, Ring};
/// /// Copies words from one ring to another one.
/// fn echo(dma: &Dma, commands: &mut Ring, completions: &mut Ring) -> Result<(), DmaError> {
///     // Held before a command has an effect.
///     let held = completions.hold::<u64>(dma)?;
///     while commands.pending() > 0 && completions.room() > 0 {
///         let command: u64 = commands.read(dma)?;
///         completions.post(&held, &command)?;
///         commands.advance();
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    base: u64,
    entries: u32,
    device: u32,
    driver: u32,
    phase: bool,
}

impl Ring {
    /// Creates an empty ring of at least one entry at `base`.
    pub fn new(base: u64, entries: u32) -> Self {
        Ring { base, entries: entries.max(1), device: 0, driver: 0, phase: true }
    }

    /// Returns whether it has at most `most` entries and both indices are among them. A state that
    /// was loaded can be any; entries of such a ring are never outside the ring.
    pub fn is_valid(&self, most: u32) -> bool {
        self.entries <= most && self.device < self.entries && self.driver < self.entries
    }

    /// Returns the index of the entry that is the device's next one.
    pub fn device_index(&self) -> u32 {
        self.device
    }

    /// Returns the index to which [`advance`](Self::advance) leads.
    #[inline]
    pub fn following_index(&self) -> u32 {
        let next = self.device.saturating_add(1);
        if next < self.entries { next } else { 0 }
    }

    /// Returns the phase of the device's next entry: true in the first pass over the ring, and the
    /// opposite in each that follows. Entries with a phase bit show by it that they are new.
    pub fn phase(&self) -> bool {
        self.phase
    }

    /// Returns the index of the entry that is the driver's next one.
    pub fn driver_index(&self) -> u32 {
        self.driver
    }

    /// Sets the index of the driver. Returns whether the ring has such an entry; the index stays as
    /// it was otherwise.
    pub fn set_driver_index(&mut self, index: u32) -> bool {
        let is_there = index < self.entries;
        if is_there {
            self.driver = index;
        }
        is_there
    }

    /// Returns how many entries the driver has filled and the device has not passed.
    #[inline]
    pub fn pending(&self) -> u32 {
        self.distance(self.device, self.driver)
    }

    /// Returns how many entries the device can fill. One always stays empty.
    #[inline]
    pub fn room(&self) -> u32 {
        self.entries.saturating_sub(1).saturating_sub(self.distance(self.driver, self.device))
    }

    fn distance(&self, from: u32, to: u32) -> u32 {
        if from <= to { to - from } else { self.entries.saturating_sub(from - to) }
    }

    /// Reads the device's next entry, which stays in the ring.
    ///
    /// # Errors
    ///
    /// As [`Dma::read_obj`].
    #[inline]
    pub fn read<T: FromBytes + IntoBytes>(&self, dma: &Dma) -> Result<T, DmaError> {
        dma.read_obj(self.base.wrapping_add(self.offset::<T>()))
    }

    /// Holds the memory of all entries, to [`post`](Self::post) some.
    ///
    /// # Errors
    ///
    /// As [`Dma::map_writable`].
    pub fn hold<T>(&self, dma: &Dma) -> Result<DmaGuard, DmaError> {
        let entries = usize::try_from(self.entries).unwrap_or(usize::MAX);
        dma.map_writable(self.base, entries.saturating_mul(size_of::<T>()))
    }

    /// Writes the device's next entry, its last word last ([`DmaGuard::publish`]), and advances.
    ///
    /// # Errors
    ///
    /// As [`DmaGuard::publish`]. The index stays as it was then.
    #[inline]
    pub fn post<T>(&mut self, held: &DmaGuard, entry: &T) -> Result<(), DmaError>
    where
        T: IntoBytes + Immutable,
    {
        held.publish(self.offset::<T>(), entry.as_bytes())?;
        self.advance();
        Ok(())
    }

    /// Passes an entry.
    #[inline]
    pub fn advance(&mut self) {
        self.device = self.following_index();
        self.phase ^= self.device == 0;
    }

    fn offset<T>(&self) -> u64 {
        u64::from(self.device).saturating_mul(size_of::<T>() as u64)
    }
}
