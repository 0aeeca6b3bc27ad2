//! The protocol on a socket: negotiation, framing, what messages may say, recorded conversations.

mod admission;
mod events;
mod framing;
mod info;
mod long_access;
mod malformed;
mod random;
mod regions;
mod replay;
mod version;
mod write_multi;
