//! The description of a device.

use bitflags::bitflags;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Request and reply of `VFIO_USER_DEVICE_GET_INFO`; a request sets only `argsz`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DeviceInfo {
    /// The largest reply payload that the client accepts, in bytes; in the reply its size.
    pub argsz: U32,
    /// [`DeviceFlags`].
    pub flags: U32,
    /// The number of regions; indices start at 0.
    pub num_regions: U32,
    /// The number of interrupt indices, from 0.
    pub num_irqs: U32,
}

bitflags! {
    /// Flags of a [`DeviceInfo`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DeviceFlags: u32 {
        /// The device can be reset.
        const RESET = 0x1;
        /// A PCI device.
        const PCI = 0x2;
        /// A platform device.
        const PLATFORM = 0x4;
        /// An AMBA device.
        const AMBA = 0x8;
        /// A channel I/O device.
        const CCW = 0x10;
        /// An adjunct processor.
        const AP = 0x20;
        /// A device of the Freescale management complex.
        const FSL_MC = 0x40;
        /// Capabilities follow the fixed part.
        const CAPS = 0x80;
        /// A CDX device.
        const CDX = 0x100;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<DeviceInfo>(), 16);
    }
}
