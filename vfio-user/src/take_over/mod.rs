//! The connection over which a program hands its devices over to its successor.
//!
//! Messages have the header of the protocol ([`Header`](crate::protocol::Header)), with commands of
//! their own, in this order:
//!
//! ```text
//! successor    HELLO    the version of the format, and the devices that it wants to take over
//! predecessor  PARCEL   the sizes and the checksum of what follows; its devices have stopped
//! predecessor  PART..   a part of the records and the bytes, with descriptors
//! successor    READY    everything is loaded and checked
//! predecessor  COMMIT   from here on the successor serves the devices
//! ```
//!
//! The successor then closes the connection, which ends its predecessor. Either side can answer
//! with REFUSED and a reason, before COMMIT.

mod error;
mod wire;

pub use error::TakeOverError;
pub(crate) use wire::{Kind, Peer};
