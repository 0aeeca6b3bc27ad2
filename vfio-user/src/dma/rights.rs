//! The rights of the device on memory.

use bitflags::bitflags;

use super::DmaError;

bitflags! {
    /// The rights of the device on a region.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Rights: u8 {
        const READ = 1;
        const WRITE = 2;
    }
}

impl Rights {
    /// Checks that these rights suffice for an access at `iova`.
    ///
    /// # Errors
    ///
    /// [`DmaError::NotReadable`], [`DmaError::NotWritable`].
    #[inline]
    pub(super) fn check(self, wanted: Rights, iova: u64) -> Result<(), DmaError> {
        if self.contains(wanted) { Ok(()) } else { Err((wanted - self).missing_at(iova)) }
    }

    #[cold]
    fn missing_at(self, iova: u64) -> DmaError {
        if self.contains(Rights::READ) {
            DmaError::NotReadable { iova }
        } else {
            DmaError::NotWritable { iova }
        }
    }
}
