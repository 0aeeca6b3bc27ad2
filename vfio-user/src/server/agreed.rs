//! What a session begins with.

use super::twin::Twin;
use crate::protocol::Capabilities;

/// What both sides agree on.
pub(super) struct Agreed {
    /// What the client can do.
    pub(super) client: Capabilities,
    /// The socket to ask it by, if it wants one for that.
    pub(super) twin: Option<Twin>,
}
