//! What a file has of shared memory, and what it does not.

use std::ops::Range;

use super::{Shared, SharedError};

/// The runs of data in shared memory, found as it is gone through from front to back.
///
/// Reading what the file does not have would give it pages of zeros. A run is asked for once: what
/// is a hole afterwards is read needlessly, and what was written into one is not seen until the
/// next time around.
#[derive(Debug, Default)]
pub(crate) struct DataRuns {
    /// Where the run was looked for.
    from: u64,
    run: Range<u64>,
}

impl DataRuns {
    /// The run that `offset` is in, or else the next one; one without end if there is none.
    pub(crate) fn next(&mut self, shared: &Shared, offset: u64) -> Range<u64> {
        if !(self.from..self.run.end).contains(&offset) {
            let start = shared.next_data(offset).unwrap_or(u64::MAX);
            self.from = offset;
            self.run = start..shared.next_hole(start).unwrap_or(u64::MAX);
        }
        self.run.clone()
    }

    /// Reads `bytes` at `offset`, unless there is no data; whether there is.
    ///
    /// # Errors
    ///
    /// If it is not all inside shared memory, or that is lost.
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
