//! How a server ends.

/// How a [`Server`](super::Server) has ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEnd {
    /// A [shutdown](super::Shutdown) was requested, or the last device has gone. The sockets are
    /// closed, and the files that the server has created for them are removed.
    Finished,
    /// Another program has [taken over](super::TakeOver). The devices, their clients and their
    /// sockets are that program's, and so is what the devices use outside of the process: files,
    /// network interfaces, entries in a registry. Leave them as they are.
    HandedOver,
}
