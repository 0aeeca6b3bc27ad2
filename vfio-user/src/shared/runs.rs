//! The runs of data and the holes in the file of shared memory.

use std::ops::Range;

use super::{Shared, SharedError};

/// The runs of data in shared memory, for a sweep from front to back.
///
/// Reading a hole would fill it with pages of zeros. A run is looked up once: bytes that become a
/// hole afterwards are read needlessly, and bytes that are written into a hole are found in the
/// next sweep.
#[derive(Debug, Default)]
pub(crate) struct DataRuns {
    /// The offset at which the run was looked up.
    from: u64,
    run: Range<u64>,
}

impl DataRuns {
    /// Returns the run that contains `offset`, or the next one; one without end if there is none.
    pub(crate) fn next(&mut self, shared: &Shared, offset: u64) -> Range<u64> {
        if !(self.from..self.run.end).contains(&offset) {
            let start = shared.next_data(offset).unwrap_or(u64::MAX);
            self.from = offset;
            self.run = start..shared.next_hole(start).unwrap_or(u64::MAX);
        }
        self.run.clone()
    }

    /// Reads `bytes` at `offset`, unless there is no data. Returns whether there is.
    ///
    /// # Errors
    ///
    /// An error if the range is not all inside shared memory, or if that is lost.
    pub(crate) fn read(
        &mut self,
        shared: &Shared,
        offset: u64,
        bytes: &mut [u8],
    ) -> Result<bool, SharedError> {
        if self.next(shared, offset).start >= offset.saturating_add(bytes.len() as u64) {
            return Ok(false);
        }
        shared.read(offset, bytes).map(|()| true)
    }
}
