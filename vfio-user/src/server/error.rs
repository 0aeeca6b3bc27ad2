//! Reasons why the server drops a client.

use std::io;

use crate::protocol::Errno;
use crate::transport::FramingError;

/// The reason why a client was dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error("user {0} may not connect")]
    Forbidden(u32),
    #[error("it closed the connection")]
    Left,
    #[error("it sent no version in time")]
    Silent,
    #[error("a later connection replaced it before it sent a version")]
    Replaced,
    #[error("its first message did not negotiate a version")]
    NotNegotiated,
    #[error("the version negotiation failed")]
    Version,
    #[error("a hook panicked")]
    Panicked,
    #[error("it reads no replies during the shutdown")]
    Stuck,
}

impl SessionError {
    /// Returns the number that is nearest to the reason.
    pub(super) fn errno(&self) -> Errno {
        match self {
            SessionError::Io(error) => error
                .raw_os_error()
                .map_or(Errno::EIO, |number| Errno::from_wire(number.unsigned_abs())),
            SessionError::Forbidden(_) => Errno::EACCES,
            SessionError::Left => Errno::ECONNRESET,
            SessionError::Silent | SessionError::Stuck => Errno::ETIMEDOUT,
            SessionError::Replaced => Errno::EBUSY,
            SessionError::Panicked => Errno::EIO,
            SessionError::Framing(_) | SessionError::NotNegotiated | SessionError::Version => {
                Errno::EINVAL
            }
        }
    }
}
