//! Regions, as clients see them.

use std::os::fd::BorrowedFd;

use crate::protocol::{RegionFlags, SparseArea, TypeCapability};

/// The information about a region that clients receive.
#[derive(Clone, Debug)]
pub struct Region<'a> {
    /// The accesses that a client may make. The server adds [`RegionFlags::CAPS`] and
    /// [`RegionFlags::MMAP`].
    pub flags: RegionFlags,
    /// The size in bytes; 0 for a region that does not exist.
    pub size: u64,
    /// The memory that backs the region and that clients may map.
    pub mapping: Option<RegionMapping<'a>>,
    /// The type of a device specific region.
    pub ty: Option<RegionType>,
}

/// The type of a device specific region (`VFIO_REGION_INFO_CAP_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionType {
    /// `VFIO_REGION_TYPE_*`: the owner of the subtypes.
    pub ty: u32,
    /// The subtype.
    pub subtype: u32,
}

impl RegionType {
    /// Returns a type of the vendor with this id (`VFIO_REGION_TYPE_PCI_VENDOR_TYPE`).
    pub const fn of_vendor(vendor: u16, subtype: u32) -> Self {
        RegionType { ty: 1 << 31 | vendor as u32, subtype }
    }
}

impl From<RegionType> for TypeCapability {
    fn from(RegionType { ty, subtype }: RegionType) -> Self {
        TypeCapability { type_: ty.into(), subtype: subtype.into() }
    }
}

impl From<TypeCapability> for RegionType {
    fn from(TypeCapability { type_, subtype }: TypeCapability) -> Self {
        RegionType { ty: type_.get(), subtype: subtype.get() }
    }
}

/// Memory that clients may map instead of sending messages.
#[derive(Clone, Debug)]
pub struct RegionMapping<'a> {
    /// The file to map.
    pub file: BorrowedFd<'a>,
    /// The offset in the file at which the region starts; page aligned.
    pub offset: u64,
    /// The mappable parts, in bytes from the start of the region, page aligned; empty means all.
    pub areas: &'a [SparseArea],
}

impl Region<'_> {
    /// A region that does not exist.
    pub const ABSENT: Region<'static> =
        Region { flags: RegionFlags::empty(), size: 0, mapping: None, ty: None };

    /// A region that is reached by messages alone.
    pub const fn by_messages(flags: RegionFlags, size: u64) -> Self {
        Region { flags, size, mapping: None, ty: None }
    }
}
