//! Guards that hold memory.

use super::DmaError;
use super::segment::DmaSegment;
use crate::model::RegisterValue;
use crate::serving::is_serving;

/// A range of the client's memory that is held: consecutive [`DmaSegment`]s.
///
/// It may be read, written or both, depending on how it was taken:
/// [`Dma::map_readable`](super::Dma::map_readable),
/// [`Dma::map_writable`](super::Dma::map_writable), [`Dma::map`](super::Dma::map). Those methods
/// check the client's rights for all of the range. So a command should take all its guards before
/// it has an effect that the guest can see. After that it fails only because its session ends, the
/// guest clears bus master, or the client truncates its file.
///
/// ```
/// # use vfio_user::{Dma, DmaError};
/// fn sum(dma: &Dma, iova: u64, len: usize) -> Result<u64, DmaError> {
///     let held = dma.map_readable(iova, len)?;
///     let mut sum = 0;
///     for segment in held.segments() {
///         let mut bytes = vec![0; segment.len() as usize];
///         segment.read(0, &mut bytes)?;
///         sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
///     }
///     Ok(sum)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DmaGuard {
    segments: Segments,
}

/// Most ranges are in one region, and are held without an allocation.
#[derive(Clone, Debug)]
enum Segments {
    One(DmaSegment),
    Many(Vec<DmaSegment>),
}

impl DmaGuard {
    pub(super) fn one(segment: DmaSegment) -> Self {
        DmaGuard { segments: Segments::One(segment) }
    }

    pub(super) fn new(segments: Vec<DmaSegment>) -> Self {
        DmaGuard { segments: Segments::Many(segments) }
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> u64 {
        self.segments().iter().map(DmaSegment::len).sum()
    }

    /// Returns whether it holds no bytes.
    pub fn is_empty(&self) -> bool {
        self.segments().is_empty()
    }

    /// Returns its segments, in the order of their bytes.
    pub fn segments(&self) -> &[DmaSegment] {
        match &self.segments {
            Segments::One(segment) => std::slice::from_ref(segment),
            Segments::Many(segments) => segments,
        }
    }

    /// Marks it as usable by any thread.
    pub(super) fn shared(self) -> Self {
        match self.segments {
            Segments::One(segment) => DmaGuard::one(segment.shared()),
            Segments::Many(segments) => {
                DmaGuard::new(segments.into_iter().map(DmaSegment::shared).collect())
            }
        }
    }

    /// # Errors
    ///
    /// [`DmaError::MessageMode`] if it cannot be read without waiting for the client.
    pub(super) fn expect_readable_now(&self) -> Result<(), DmaError> {
        if !is_serving() {
            return Ok(());
        }
        match self.segments().iter().find(|segment| segment.is_by_messages()) {
            Some(segment) => Err(DmaError::MessageMode { iova: segment.iova() }),
            None => Ok(()),
        }
    }

    /// Reads `data.len()` bytes at `offset` from the start of the range.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; a part may have been read then.
    #[inline]
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
        match &self.segments {
            Segments::One(segment) => segment.read(offset, data),
            Segments::Many(_) => self.read_parts(offset, data),
        }
    }

    fn read_parts(&self, offset: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let mut rest = data;
        for (segment, offset, len) in self.pieces(offset, rest.len())? {
            let (head, tail) = rest.split_at_mut(len);
            segment.read(offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Writes `data` at `offset` from the start of the range.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; a part may have been written then.
    #[inline]
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        match &self.segments {
            Segments::One(segment) => segment.write(offset, data),
            Segments::Many(_) => self.write_parts(offset, data),
        }
    }

    fn write_parts(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        let mut rest = data;
        for (segment, offset, len) in self.pieces(offset, rest.len())? {
            let (head, tail) = rest.split_at(len);
            segment.write(offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Loads a word, as [`Dma::load`](super::Dma::load).
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, DmaError> {
        let (segment, offset) = self.word(offset, T::WIDTH)?;
        segment.load(offset)
    }

    /// Stores a word, as [`Dma::store`](super::Dma::store).
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), DmaError> {
        let (segment, offset) = self.word(offset, T::WIDTH)?;
        segment.store(offset, value)
    }

    /// Writes `data`, and its last word only after everything before it: a guest that sees the word
    /// also sees the other bytes, and everything that was written before them. For the entry of a
    /// queue whose last bytes say that it is new.
    ///
    /// The word is the largest one of 1, 2, 4 or 8 bytes that is aligned. It is stored in one
    /// access if the memory is mapped, and by a write of its own if it is accessed by file I/O or
    /// by messages.
    ///
    /// ```
    /// # use vfio_user::{DmaError, DmaGuard};
    /// /// The last byte holds the phase of the entry.
    /// fn complete(queue: &DmaGuard, index: u64, entry: [u8; 16]) -> Result<(), DmaError> {
    ///     queue.publish(16 * index, &entry)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DmaError`]; a part of the bytes may have been written then, but not the word.
    #[inline]
    pub fn publish(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        match &self.segments {
            Segments::One(segment) => segment.publish(offset, data),
            Segments::Many(_) => self.publish_parts(offset, data),
        }
    }

    fn publish_parts(&self, offset: u64, data: &[u8]) -> Result<(), DmaError> {
        let mut rest = data;
        for (segment, offset, len) in self.pieces(offset, rest.len())? {
            let (head, tail) = rest.split_at(len);
            match tail {
                [] => segment.publish(offset, head)?,
                _ => segment.write(offset, head)?,
            }
            rest = tail;
        }
        Ok(())
    }

    /// Returns the segment of a word, and its offset in the segment.
    fn word(&self, offset: u64, width: u8) -> Result<(&DmaSegment, u64), DmaError> {
        if let Segments::One(segment) = &self.segments {
            // It checks that the word is inside.
            return Ok((segment, offset));
        }
        let outside = DmaError::Outside { offset, len: width.into(), held: self.len() };
        let (segment, start, len) = self.pieces(offset, width.into())?.next().ok_or(outside)?;
        if len == usize::from(width) {
            Ok((segment, start))
        } else {
            Err(DmaError::Misaligned { iova: segment.iova() + start })
        }
    }

    /// Returns the parts of an access: segment, offset in it, length.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<impl Iterator<Item = (&DmaSegment, u64, usize)>, DmaError> {
        let held = self.len();
        if offset.checked_add(len as u64).is_none_or(|end| end > held) {
            return Err(DmaError::Outside { offset, len, held });
        }
        let (mut skip, mut rest) = (offset, len);
        Ok(self.segments().iter().filter_map(move |segment| {
            let start = skip.min(segment.len());
            skip -= start;
            let here = usize::try_from(segment.len() - start).map_or(rest, |here| rest.min(here));
            rest -= here;
            (here > 0).then_some((segment, start, here))
        }))
    }
}

/// Joins ranges: the bytes of the second guard follow those of the first.
impl Extend<DmaGuard> for DmaGuard {
    fn extend<I: IntoIterator<Item = DmaGuard>>(&mut self, guards: I) {
        let first = std::mem::replace(self, DmaGuard::new(Vec::new()));
        *self = std::iter::once(first).chain(guards).collect();
    }
}

/// Joins ranges, in their order, for example the pages of a command.
impl FromIterator<DmaGuard> for DmaGuard {
    fn from_iter<I: IntoIterator<Item = DmaGuard>>(guards: I) -> Self {
        let mut guards = guards.into_iter();
        let Some(first) = guards.next() else { return DmaGuard::new(Vec::new()) };
        let Some(second) = guards.next() else { return first };
        let mut segments: Vec<_> = first.into_iter().chain(second).collect();
        segments.extend(guards.flatten());
        DmaGuard::new(segments)
    }
}

impl IntoIterator for DmaGuard {
    type Item = DmaSegment;
    type IntoIter = std::vec::IntoIter<DmaSegment>;

    fn into_iter(self) -> Self::IntoIter {
        match self.segments {
            Segments::One(segment) => vec![segment].into_iter(),
            Segments::Many(segments) => segments.into_iter(),
        }
    }
}
