//! Writes that need no message.

/// The values of the writes that a client may turn into signals of an eventfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataMatch {
    /// Any value.
    Any,
    /// This value alone.
    Value(u64),
}

/// A kind of writes to a region that need no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell {
    /// The offset of the first byte in the region.
    pub offset: u64,
    /// The size of the writes, in bytes.
    pub size: u64,
    /// The value of the writes.
    pub value: DataMatch,
    /// Whether the region decodes I/O ports.
    pub is_port: bool,
}
