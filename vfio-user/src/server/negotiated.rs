//! The result of a negotiation.

use super::twin::Twin;
use crate::protocol::Capabilities;

/// The result of a negotiation of both sides.
pub(super) struct Negotiated {
    /// The capabilities of the client.
    pub(super) client: Capabilities,
    /// The socket for requests to the client, if it requested a separate one.
    pub(super) twin: Option<Twin>,
}
