//! What can be wrong with a function that a client drives as a PCI driver does.

use crate::protocol::RegionIndex;

/// What is wrong with a PCI function, or with a request to
/// [`PciView`](crate::client::PciView).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PciError {
    /// The device is no PCI device.
    #[error("the device is no PCI device")]
    NotPci,
    /// Configuration space is too small for a header and capabilities.
    #[error("configuration space has {0:#x} bytes, at least 0x100 are required")]
    ConfigSize(u64),
    /// The vendor id reads as all ones: no function responds.
    #[error("no function responds: the vendor id is 0xffff")]
    NoFunction,
    /// The header is not that of an endpoint.
    #[error("header type {0:#04x} is not supported, 0x00 (endpoint) is")]
    HeaderType(u8),
    /// A capability starts inside the header, or an extended one inside the first 256 bytes.
    #[error("a capability at {0:#x} is outside its part of configuration space")]
    CapabilityOffset(u16),
    /// The list of capabilities leads back to one of them.
    #[error("the capability at {0:#x} is in the list twice")]
    CapabilityLoop(u16),
    /// A capability ends beyond its part of configuration space.
    #[error("capability {id:#04x} at {offset:#x} does not fit in configuration space")]
    CapabilityTooLong {
        /// Its id.
        id: u8,
        /// Its offset in configuration space.
        offset: u16,
    },
    /// The function lacks a capability.
    #[error("the function has no capability {0:#04x}")]
    NoCapability(u8),
    /// The function has no BAR of this number.
    #[error("the function has no BAR {0}")]
    NoBar(u8),
    /// The type bits of a BAR are reserved, or those of a 64-bit BAR without a second half.
    #[error("{index} has type bits {bits:#x}, which are not valid there")]
    BarType {
        /// The BAR.
        index: RegionIndex,
        /// The lower four bits.
        bits: u8,
    },
    /// What a BAR reads after ones were written is not the mask of a power of two.
    #[error("{index} reads {mask:#x} after ones were written, which is the mask of no size")]
    BarMask {
        /// The BAR.
        index: RegionIndex,
        /// The value without the type bits.
        mask: u64,
    },
    /// The region of a BAR is empty, or larger than the BAR.
    #[error("{index} decodes {size:#x} bytes, and its region has {region:#x}")]
    BarRegion {
        /// The BAR.
        index: RegionIndex,
        /// What configuration space says, in bytes.
        size: u64,
        /// The size of the region in bytes.
        region: u64,
    },
    /// There is no free range of addresses for a BAR.
    #[error("there are no addresses for the {size:#x} bytes of {index}")]
    NoAddress {
        /// The BAR.
        index: RegionIndex,
        /// In bytes.
        size: u64,
    },
    /// The MSI-X table or its pending bits are not inside a BAR.
    #[error("{size:#x} bytes of MSI-X at {offset:#x} are not inside BAR {bar}")]
    MsixTable {
        /// The number of the BAR.
        bar: u8,
        /// The start in the BAR.
        offset: u32,
        /// In bytes.
        size: u32,
    },
    /// The function does not have as many vectors, or none was requested.
    #[error("{wanted} vectors are requested, accepted are 1 to {most}")]
    Vectors {
        /// The number of vectors that was requested.
        wanted: u32,
        /// The number of vectors of the function; 0 if it has none of this kind.
        most: u32,
    },
    /// The number of a vector is too large.
    #[error("vector {vector} is not one of the {count} that are enabled")]
    NoVector {
        /// Its number.
        vector: u32,
        /// The number of enabled vectors.
        count: usize,
    },
    /// Vectors of this kind cannot be masked.
    #[error("the function cannot mask these vectors")]
    NotMaskable,
    /// The function can be reset neither alone nor by a message.
    #[error("the function cannot be reset")]
    NoReset,
    /// The function does not respond after its reset.
    #[error("the function does not respond in time after its reset")]
    NotReady,
}
