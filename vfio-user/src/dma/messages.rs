//! Access to the client's memory by messages, however it is mapped.

use super::rights::Rights;
use super::{DmaError, SessionDma};

/// Access to the client's memory by messages alone, however the client has mapped it: for a device
/// whose client must perform, and observe, each access.
///
/// This is a handle, from [`Cx::dma_messages`](crate::Cx::dma_messages): clone it, move it to a
/// worker. The client performs the writes, and logs them as well.
#[derive(Clone, Debug)]
pub struct DmaMessages(SessionDma);

impl DmaMessages {
    pub(crate) fn new(dma: SessionDma) -> Self {
        DmaMessages(dma)
    }

    /// Reads `data.len()` bytes at `iova`, and waits for them.
    ///
    /// # Errors
    ///
    /// [`DmaError`]; [`DmaError::MessageMode`] in a hook, which cannot wait.
    pub fn read(&self, iova: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let held = self.0.table(iova)?.hold(iova, data.len(), Rights::READ)?;
        let mut rest = data;
        for segment in held.segments() {
            let len = usize::try_from(segment.len()).unwrap_or(usize::MAX);
            let (part, others) = rest.split_at_mut(len.min(rest.len()));
            let (region, session, offset) = segment.place();
            self.0.transfers().read(region, session, offset, part)?;
            rest = others;
        }
        Ok(())
    }

    /// Writes `data` at `iova`, and waits until it is written. In a hook the write is queued.
    ///
    /// # Errors
    ///
    /// [`DmaError`].
    pub fn write(&self, iova: u64, data: &[u8]) -> Result<(), DmaError> {
        let held = self.0.table(iova)?.hold(iova, data.len(), Rights::WRITE)?;
        let mut rest = data;
        for segment in held.segments() {
            let len = usize::try_from(segment.len()).unwrap_or(usize::MAX);
            let (part, others) = rest.split_at(len.min(rest.len()));
            let (region, session, offset) = segment.place();
            self.0.transfers().write(region, session, offset, part)?;
            rest = others;
        }
        Ok(())
    }
}
