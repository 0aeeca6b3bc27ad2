//! Messages over a stream socket: framing, descriptors, sending.

mod receiver;
mod sender;

pub(crate) use receiver::{Incoming, Message, Receiver, Unhandled};
pub(crate) use sender::{Outbox, Reply, send_all};

use crate::protocol::{DRAIN_LIMIT, HEADER_SIZE};

/// An error of the framing after which the start of the next message is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// A message claims to be smaller than its header.
    #[error("message of {0} bytes, smaller than its header of {HEADER_SIZE}")]
    TooSmall(u32),
    /// A message claims to be larger than the limit for skipping.
    #[error("message of {0} bytes, more than the {DRAIN_LIMIT} that would be skipped")]
    TooLarge(u32),
    /// A message is neither a command nor a reply.
    #[error("message flags {0:#x} are neither those of a command nor of a reply")]
    Type(u32),
}
