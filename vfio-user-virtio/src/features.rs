//! Feature bits that belong to the transport and the queues (Virtual I/O Device 1.2, 6).

/// A descriptor may refer to a table of descriptors.
pub const RING_INDIRECT_DESC: u64 = 1 << 28;
/// The rings say from which entry on the other side wants a notification.
pub const RING_EVENT_IDX: u64 = 1 << 29;
/// The device follows version 1 of the specification. Drivers have to accept it.
pub const VERSION_1: u64 = 1 << 32;
/// The addresses of buffers are those by which the device accesses memory, not physical ones.
pub const ACCESS_PLATFORM: u64 = 1 << 33;
/// The driver may reset one queue.
pub const RING_RESET: u64 = 1 << 40;

/// What every device of this crate offers. A device adds its own bits by
/// [`VirtioDevice::features`](crate::VirtioDevice::features).
pub const TRANSPORT: u64 =
    RING_INDIRECT_DESC | RING_EVENT_IDX | VERSION_1 | ACCESS_PLATFORM | RING_RESET;
