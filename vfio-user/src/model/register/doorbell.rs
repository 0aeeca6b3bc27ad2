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
