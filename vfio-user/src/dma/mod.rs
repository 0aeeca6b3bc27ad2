//! The client's memory, as the device sees it: by IOVA.

mod error;
mod region;
mod table;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use error::DmaError;
pub(crate) use region::{Region, Rights};
use table::Table;

use crate::protocol::Errno;

/// Access to the memory that the client has mapped for the device.
///
/// A handle: clones share one table, and may be used from any thread. Addresses are I/O virtual
/// addresses, what the guest's driver programs into the device.
///
/// The memory belongs to the guest, which changes it whenever it likes: what has been read once may
/// read differently the next time.
#[derive(Clone, Debug, Default)]
pub struct Dma {
    table: Arc<RwLock<Table>>,
}

impl Dma {
    /// Reads `data.len()` bytes at `iova`; the range may span adjacent regions.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; nothing has been read then, unless the client truncated its file meanwhile.
    pub fn read(&self, iova: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let table = self.shared();
        table.check(iova, data.len(), Rights::READ)?;
        let mut rest = data;
        for piece in table.pieces(iova, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            piece.region.read(piece.offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Writes `data` at `iova`; the range may span adjacent regions.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; nothing has been written then, unless the client truncated its file meanwhile.
    pub fn write(&self, iova: u64, data: &[u8]) -> Result<(), DmaError> {
        let table = self.shared();
        table.check(iova, data.len(), Rights::WRITE)?;
        let mut rest = data;
        for piece in table.pieces(iova, rest.len()) {
            let (head, tail) = rest.split_at(piece.len);
            piece.region.write(piece.offset, head)?;
            rest = tail;
        }
        Ok(())
    }

    /// Adds a region.
    ///
    /// # Errors
    ///
    /// EEXIST if it overlaps another one (an exact duplicate is accepted), ENOSPC if there are too
    /// many.
    pub(crate) fn map(&self, region: Region) -> Result<(), Errno> {
        self.exclusive().insert(region)
    }

    /// Removes every region inside `[first, last]`, once no access to it is under way. It is no
    /// error if there is none: clients with a virtual IOMMU unmap what they never mapped.
    ///
    /// # Errors
    ///
    /// EINVAL if a region is only partly inside; nothing has been removed then.
    pub(crate) fn unmap(&self, first: u64, last: u64) -> Result<(), Errno> {
        let removed = self.exclusive().remove(first, last)?;
        // Unmapping may take long; accesses to other regions need not wait for it.
        drop(removed);
        Ok(())
    }

    // The table is consistent between any two of its methods, so a panic elsewhere does not spoil it.
    fn shared(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}
