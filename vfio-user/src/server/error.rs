//! Reasons why the server drops a client.

use std::io;

use crate::transport::FramingError;

/// The reason why a client was dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Framing(#[from] FramingError),
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
