//! Client memory: mapping it, and reading and writing it by messages.

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Request of `VFIO_USER_DMA_MAP`; the reply has no payload. At most one file descriptor.
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
pub struct DmaMap {
    /// The size of this structure, in bytes.
    pub argsz: U32,
    /// [`DmaMapFlags`].
    pub flags: U32,
    /// The offset of the memory in the file, 0 without a file.
    pub offset: U64,
    /// IOVA of the memory.
    pub address: U64,
    /// The size of the memory, in bytes.
    pub size: U64,
}

bitflags! {
    /// Flags of a [`DmaMap`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DmaMapFlags: u32 {
        /// The device may read.
        const READ = 0x1;
        /// The device may write.
        const WRITE = 0x2;
        /// The server accesses the memory through a mapping of the file.
        const MMAP = 0x4;
        /// The server accesses the memory by reading and writing the file.
        const FILE_IO = 0x8;
    }
}

/// Request and reply of `VFIO_USER_DMA_UNMAP`. With [`DmaUnmapFlags::GET_DIRTY_BITMAP`] a
/// [`DirtyBitmap`] follows, in the reply also the bitmap.
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
pub struct DmaUnmap {
    /// The largest reply payload that the client accepts, in bytes.
    pub argsz: U32,
    /// [`DmaUnmapFlags`].
    pub flags: U32,
    /// IOVA of the memory.
    pub address: U64,
    /// The size of the memory, in bytes.
    pub size: U64,
}

bitflags! {
    /// Flags of a [`DmaUnmap`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DmaUnmapFlags: u32 {
        /// The reply contains the pages that the device has written.
        const GET_DIRTY_BITMAP = 0x1;
        /// Unmaps everything; address and size are 0.
        const ALL = 0x2;
    }
}

/// The head of a dirty bitmap in `VFIO_USER_DMA_UNMAP`.
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
pub struct DirtyBitmap {
    /// The bytes of memory per bit, a power of two.
    pub page_size: U64,
    /// The size of the bitmap, in bytes.
    pub size: U64,
}

/// Request and reply of `VFIO_USER_DMA_READ` and `VFIO_USER_DMA_WRITE`, which the server sends. The
/// data follow in the reply to a read and in the request of a write.
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
pub struct DmaAccess {
    /// IOVA of the first byte.
    pub address: U64,
    /// The size of the data, in bytes.
    pub count: U64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<DmaMap>(), 32);
        assert_eq!(size_of::<DmaUnmap>(), 24);
        assert_eq!(size_of::<DirtyBitmap>(), 16);
        assert_eq!(size_of::<DmaAccess>(), 16);
    }

    #[test]
    fn unknown_flags_are_refused() {
        assert_eq!(DmaMapFlags::from_bits(3), Some(DmaMapFlags::READ | DmaMapFlags::WRITE));
        assert_eq!(DmaMapFlags::from_bits(0x10), None);
        assert_eq!(DmaUnmapFlags::from_bits(2), Some(DmaUnmapFlags::ALL));
        assert_eq!(DmaUnmapFlags::from_bits(4), None);
    }
}
