//! PCI devices in user space.
pub mod protocol;
