//! The messages of the vfio-user protocol.
