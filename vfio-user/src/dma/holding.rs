//! Holds ranges of memory, and lists what the client has mapped.

use super::region::Outline;
use super::rights::Rights;
use super::{Dma, DmaError, DmaGuard, DmaSegment};

impl Dma {
    /// Holds a range of memory, which may span adjacent regions, to read and write it.
    ///
    /// # Errors
    ///
    /// [`DmaError::NotReadable`], [`DmaError::NotWritable`] if the client does not grant both
    /// rights in all of the range; [`DmaError::Unmapped`], [`DmaError::Wraps`];
    /// [`DmaError::Stopped`], [`DmaError::SessionEnded`], [`DmaError::NotBusMaster`].
    pub fn map(&self, iova: u64, len: usize) -> Result<DmaGuard, DmaError> {
        self.hold(iova, len, Rights::all())
    }

    /// Holds a range of memory to read it, as [`map`](Self::map).
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map), without [`DmaError::NotWritable`].
    pub fn map_readable(&self, iova: u64, len: usize) -> Result<DmaGuard, DmaError> {
        self.hold(iova, len, Rights::READ)
    }

    /// Holds a range of memory to write it, as [`map`](Self::map).
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map), without [`DmaError::NotReadable`].
    pub fn map_writable(&self, iova: u64, len: usize) -> Result<DmaGuard, DmaError> {
        self.hold(iova, len, Rights::WRITE)
    }

    #[inline]
    fn hold(&self, iova: u64, len: usize, wanted: Rights) -> Result<DmaGuard, DmaError> {
        let table = self.table(iova)?;
        if let Some((region, offset)) = table.mapped(iova, len, &self.hint) {
            region.check(offset, wanted)?;
            let segment = DmaSegment::new(region, table.held(), wanted, offset, len as u64);
            return Ok(DmaGuard::one(segment));
        }
        Ok(table.hold(iova, len, wanted)?.shared())
    }

    /// Returns the segments of a range, in order; each is held as long as it exists.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    pub fn segments(
        &self,
        iova: u64,
        len: usize,
    ) -> Result<impl Iterator<Item = DmaSegment> + use<>, DmaError> {
        Ok(self.map(iova, len)?.into_iter())
    }

    /// Returns the whole region that contains an address.
    pub fn region(&self, iova: u64) -> Option<DmaSegment> {
        let table = self.live_table()?;
        let region = table.find(iova, &self.hint)?;
        Some(DmaSegment::whole(region, table.held()))
    }

    /// Returns all regions, in the order of their addresses: the memory table for a separate data
    /// path. Regions that are accessed by messages are included.
    pub fn regions(&self) -> Vec<DmaSegment> {
        let Some(table) = self.live_table() else { return Vec::new() };
        table.regions().map(|region| DmaSegment::whole(region, table.held())).collect()
    }

    /// Returns at most `most` regions that end at an address or behind it, whether the device may
    /// access them now or not. Nothing is held.
    pub(crate) fn outline(&self, from: u64, most: usize) -> Vec<Outline> {
        let table = self.mapped(&self.changes());
        table.overlapping(from, u64::MAX).take(most).map(|region| region.outline()).collect()
    }
}
