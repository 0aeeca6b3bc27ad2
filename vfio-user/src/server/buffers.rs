//! The shared buffers of a thread.

/// Buffers that the sessions of a thread share: an idle session has none.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) receive: Vec<u8>,
    pub(super) send: Vec<u8>,
}
