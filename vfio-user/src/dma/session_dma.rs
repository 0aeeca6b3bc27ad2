//! The handle of threads to the client's memory.

use std::ops::Deref;
use std::sync::Arc;

use super::Dma;

/// Access to the client's memory in one session, for any thread.
///
/// It has all methods of [`Dma`]. They fail with
/// [`DmaError::SessionEnded`](crate::DmaError::SessionEnded) once its session has ended, and with
/// [`DmaError::Stopped`](crate::DmaError::Stopped) while the device is stopped, so that a stopped
/// device does not change memory. A clone has the same rights and belongs to the same session.
/// [`Dma`] has an example.
#[derive(Debug)]
pub struct SessionDma(Dma);

impl SessionDma {
    pub(super) fn of(dma: &Dma) -> Self {
        let session = dma.session.unwrap_or_else(|| dma.any_table().session());
        SessionDma(Dma {
            shared: Arc::clone(&dma.shared),
            hint: dma.hint.clone(),
            session: Some(session),
            is_own: false,
            held: None,
        })
    }

    pub(super) fn dma_mut(&mut self) -> &mut Dma {
        &mut self.0
    }
}

impl Clone for SessionDma {
    fn clone(&self) -> Self {
        SessionDma::of(&self.0)
    }
}

impl Deref for SessionDma {
    type Target = Dma;

    fn deref(&self) -> &Dma {
        &self.0
    }
}
