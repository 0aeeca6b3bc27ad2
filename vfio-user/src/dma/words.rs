//! Accesses to words, each in one piece.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::backing::Backing;
use super::region::{Region, at};
use super::rights::Rights;
use super::status::Session;
use super::{Dma, DmaError};
use crate::model::RegisterValue;
use crate::shared::Atomic;
use crate::sys::{Lost, Mapping, last_word};

/// How often a recorded atomic operation is tried while the client changes the word.
const ATTEMPTS: u32 = 1000;

impl Dma {
    /// Loads a word of 1, 2, 4 or 8 bytes, little-endian, in one access with acquire ordering:
    /// later accesses see what the guest stored before the word.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; [`Misaligned`](DmaError::Misaligned), and [`NotMapped`](DmaError::NotMapped)
    /// for memory that is accessed by file I/O or by messages.
    pub fn load<T: RegisterValue>(&self, iova: u64) -> Result<T, DmaError> {
        self.word(iova, usize::from(T::WIDTH), Rights::READ, |region, at| region.load(at))
    }

    /// Stores a word, as [`load`](Self::load), with release ordering: a guest that sees the word
    /// also sees what was stored before it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn store<T: RegisterValue>(&self, iova: u64, value: T) -> Result<(), DmaError> {
        self.word(iova, usize::from(T::WIDTH), Rights::WRITE, |region, at| region.store(at, value))
    }

    /// Writes `data`, and its last word only after everything before it, as
    /// [`DmaGuard::publish`](super::DmaGuard::publish).
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn publish(&self, iova: u64, data: &[u8]) -> Result<(), DmaError> {
        let table = self.table(iova)?;
        if let Some((region, offset)) = table.short(iova, data.len(), &self.hint) {
            region.check(offset, Rights::WRITE)?;
            return region.publish(table.session(), offset, data);
        }
        let held = table.hold(iova, data.len(), Rights::WRITE)?;
        drop(table);
        held.publish(0, data)
    }

    /// Operates on a word atomically, in the byte order of the host. The device needs the rights to
    /// read and to write it. While the device is [recorded](crate::record), `operation` works on a
    /// copy, and runs again if the guest has changed the word meanwhile; make it one operation of
    /// the word, without effects elsewhere.
    ///
    /// ```
    /// # use vfio_user::{Dma, DmaError};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// fn take_ticket(dma: &Dma, iova: u64) -> Result<u32, DmaError> {
    ///     dma.atomic(iova, |next: &AtomicU32| next.fetch_add(1, Ordering::AcqRel))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn atomic<A: Atomic, R>(
        &self,
        iova: u64,
        operation: impl FnMut(&A) -> R,
    ) -> Result<R, DmaError> {
        self.word(iova, size_of::<A>(), Rights::all(), |region, at| region.atomic(at, operation))
    }

    #[inline]
    fn word<R>(
        &self,
        iova: u64,
        width: usize,
        wanted: Rights,
        access: impl FnOnce(&Arc<Region>, u64) -> Result<R, DmaError>,
    ) -> Result<R, DmaError> {
        let table = self.table(iova)?;
        if let Some((region, offset)) = table.short(iova, width, &self.hint) {
            region.check(offset, wanted)?;
            return access(region, offset);
        }
        match table.hold(iova, width, wanted)?.segments().len() {
            1 => Err(DmaError::NotMapped { iova }),
            _ => Err(DmaError::Misaligned { iova }),
        }
    }
}

impl Region {
    /// Loads a little-endian word in one access, with acquire ordering.
    pub(super) fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, DmaError> {
        let mut bytes = [0; 8];
        self.load_bytes(offset, &mut bytes[..usize::from(T::WIDTH)])?;
        Ok(T::from_bits(u64::from_le_bytes(bytes)))
    }

    #[inline]
    fn load_bytes(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DmaError> {
        match self.tap() {
            None => self.load_word(offset, bytes),
            Some(tapped) => {
                tapped.read(self.first() + offset, bytes, |bytes| self.load_word(offset, bytes))
            }
        }
    }

    #[inline]
    fn load_word(&self, offset: u64, bytes: &mut [u8]) -> Result<(), DmaError> {
        let (mapping, at) = self.check_word(offset, bytes.len())?;
        mapping.read(at, bytes).map_err(|Lost| self.lost())?;
        self.status().note_read(bytes.len() as u64);
        fence(Ordering::Acquire);
        Ok(())
    }

    /// Stores a word, as `load`, with release ordering.
    pub(super) fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), DmaError> {
        let bytes = &value.to_bits().to_le_bytes()[..usize::from(T::WIDTH)];
        match self.tap() {
            None => self.store_word(offset, bytes),
            Some(tapped) => {
                tapped.write(self.first() + offset, bytes, || self.store_word(offset, bytes))
            }
        }
    }

    #[inline]
    fn store_word(&self, offset: u64, bytes: &[u8]) -> Result<(), DmaError> {
        let (mapping, at) = self.check_word(offset, bytes.len())?;
        fence(Ordering::Release);
        let stored = mapping.write(at, bytes);
        self.mark_dirty(offset, bytes.len() as u64);
        stored.map_err(|Lost| self.lost())
    }

    /// Writes `data`, its last word by itself and with release ordering: the largest word that is
    /// aligned.
    #[inline]
    pub(super) fn publish(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let Backing::Mapped { file, start } = self.backing() else {
            return self.publish_in_parts(session, offset, data);
        };
        let done = file.mapping().map(|mapping| mapping.publish(at(*start, offset), data));
        // A failed write may have written a part.
        self.mark_dirty(offset, data.len() as u64);
        done.unwrap_or(Err(Lost)).map_err(|Lost| self.lost())
    }

    /// Publishes by two writes. There may be no mapping, in a replay for example: the addresses of
    /// the device decide what is aligned.
    fn publish_in_parts(
        self: &Arc<Self>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let end = at(0, self.first().wrapping_add(offset)).wrapping_add(data.len());
        let (head, word) = data.split_at(data.len() - last_word(end, data.len()));
        self.write(session, offset, head)?;
        fence(Ordering::Release);
        self.write(session, offset + head.len() as u64, word)
    }

    pub(super) fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        mut operation: impl FnMut(&A) -> R,
    ) -> Result<R, DmaError> {
        let Some(tapped) = self.tap() else { return self.atomic_in_place(offset, operation) };
        let (iova, width) = (self.first() + offset, size_of::<A>());
        let mut bytes = [0; 8];
        let mut done = None;
        tapped.read(iova, &mut bytes[..width], |bytes| {
            done = Some(self.atomic_seen(offset, bytes, &mut operation)?);
            Ok(())
        })?;
        let (result, after) =
            done.unwrap_or_else(|| on_copy(u64::from_le_bytes(bytes), &mut operation));
        tapped.write(iova, &after.to_le_bytes()[..width], || Ok(()))?;
        Ok(result)
    }

    /// Operates on a word, and fills in the `before` that the operation has found: it works on a
    /// copy, which takes the place of the word unless that has changed meanwhile. Returns the new
    /// value as well.
    fn atomic_seen<A: Atomic, R>(
        &self,
        offset: u64,
        before: &mut [u8],
        operation: &mut impl FnMut(&A) -> R,
    ) -> Result<(R, u64), DmaError> {
        for _ in 0..ATTEMPTS {
            let seen = self.atomic_in_place(offset, A::get)?;
            let (result, after) = on_copy(seen, operation);
            if self.atomic_in_place(offset, |word: &A| word.replace(seen, after))? {
                before.copy_from_slice(&seen.to_le_bytes()[..before.len()]);
                return Ok((result, after));
            }
        }
        // A client that changes the word without a pause does not hold the device up.
        self.note_direct();
        self.atomic_in_place(offset, |word: &A| {
            before.copy_from_slice(&word.get().to_le_bytes()[..before.len()]);
            let result = operation(word);
            (result, word.get())
        })
    }

    fn atomic_in_place<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, DmaError> {
        let (mapping, at) = self.check_word(offset, size_of::<A>())?;
        let result = mapping.atomic(at, operation);
        self.status().note_read(size_of::<A>() as u64);
        self.mark_dirty(offset, size_of::<A>() as u64);
        result.map_err(|Lost| self.lost())
    }

    /// Returns the position of a word that can be accessed in one piece.
    #[inline]
    fn check_word(&self, offset: u64, width: usize) -> Result<(&Mapping, usize), DmaError> {
        let (mapping, at) = self.place(offset)?;
        let aligned = mapping.address(at, width).addr().is_multiple_of(width);
        if aligned {
            Ok((mapping, at))
        } else {
            Err(DmaError::Misaligned { iova: self.first() + offset })
        }
    }
}

/// Operates on a word that nothing else accesses. Returns its value behind the result.
fn on_copy<A: Atomic, R>(bits: u64, operation: &mut impl FnMut(&A) -> R) -> (R, u64) {
    let word = A::new(bits);
    let result = operation(&word);
    (result, word.get())
}
