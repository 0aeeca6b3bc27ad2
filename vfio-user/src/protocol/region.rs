//! Regions: BARs, ROM and config space, and accesses to them.

use std::fmt;

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The regions of a PCI device (`VFIO_PCI_*_REGION_INDEX`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegionIndex {
    /// BAR 0.
    Bar0,
    /// BAR 1.
    Bar1,
    /// BAR 2.
    Bar2,
    /// BAR 3.
    Bar3,
    /// BAR 4.
    Bar4,
    /// BAR 5.
    Bar5,
    /// The expansion ROM.
    Rom,
    /// Config space.
    Config,
    /// The legacy VGA ranges: I/O ports 0x3b0 to 0x3df and memory 0xa0000 to 0xbffff, each at its
    /// own address.
    Vga,
    /// A device specific region, by its index: region 9 is the first one.
    Specific(u32),
}

impl RegionIndex {
    /// The number of regions that every device has.
    pub const COUNT: usize = 9;

    /// These regions, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Bar0,
        Self::Bar1,
        Self::Bar2,
        Self::Bar3,
        Self::Bar4,
        Self::Bar5,
        Self::Rom,
        Self::Config,
        Self::Vga,
    ];

    /// Returns the number of the BAR, 0 to 5, if the region is one.
    pub fn bar(self) -> Option<usize> {
        match self {
            Self::Bar0 => Some(0),
            Self::Bar1 => Some(1),
            Self::Bar2 => Some(2),
            Self::Bar3 => Some(3),
            Self::Bar4 => Some(4),
            Self::Bar5 => Some(5),
            _ => None,
        }
    }
}

impl From<u32> for RegionIndex {
    fn from(index: u32) -> Self {
        let specific = || Self::Specific(index - FIRST_SPECIFIC);
        Self::ALL.get(index as usize).copied().unwrap_or_else(specific)
    }
}

impl From<RegionIndex> for u32 {
    /// Converts to a number; an index that is far too large stays too large.
    fn from(index: RegionIndex) -> u32 {
        match index {
            RegionIndex::Rom => 6,
            RegionIndex::Config => 7,
            RegionIndex::Vga => 8,
            RegionIndex::Specific(place) => place.saturating_add(FIRST_SPECIFIC),
            bar => bar.bar().and_then(|bar| u32::try_from(bar).ok()).unwrap_or(u32::MAX),
        }
    }
}

const FIRST_SPECIFIC: u32 = 9;

impl fmt::Display for RegionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bar0 => "BAR 0",
            Self::Bar1 => "BAR 1",
            Self::Bar2 => "BAR 2",
            Self::Bar3 => "BAR 3",
            Self::Bar4 => "BAR 4",
            Self::Bar5 => "BAR 5",
            Self::Rom => "ROM",
            Self::Config => "config space",
            Self::Vga => "VGA",
            Self::Specific(_) => return write!(f, "region {}", u32::from(*self)),
        })
    }
}

/// Request and reply of `VFIO_USER_DEVICE_GET_REGION_INFO`; a request sets `argsz` and `index`.
/// Capabilities may follow in the reply, and a file descriptor is attached with
/// [`RegionFlags::MMAP`].
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
pub struct RegionInfo {
    /// The largest reply payload that the client accepts, in bytes; in the reply the size of a
    /// complete one, including capabilities.
    pub argsz: U32,
    /// [`RegionFlags`].
    pub flags: U32,
    /// A [`RegionIndex`].
    pub index: U32,
    /// The offset of the first capability in the payload, 0 if there is none.
    pub cap_offset: U32,
    /// The size of the region, in bytes.
    pub size: U64,
    /// The offset of the region in the file.
    pub offset: U64,
}

bitflags! {
    /// Flags of a [`RegionInfo`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RegionFlags: u32 {
        /// The region can be read.
        const READ = 0x1;
        /// The region can be written.
        const WRITE = 0x2;
        /// The region can be mapped, wholly or in part.
        const MMAP = 0x4;
        /// Capabilities follow the fixed part.
        const CAPS = 0x8;
    }
}

/// Request and reply of `VFIO_USER_REGION_READ` and `VFIO_USER_REGION_WRITE`. The data follow in
/// the reply to a read and in the request of a write.
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
pub struct RegionAccess {
    /// The offset of the access in the region.
    pub offset: U64,
    /// A [`RegionIndex`].
    pub region: U32,
    /// The size of the data, in bytes.
    pub count: U32,
}

/// Request and reply of `VFIO_USER_REGION_WRITE_MULTI`. `count` entries follow in the request.
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
pub struct WriteMulti {
    /// The number of writes; in the reply the number of those that were done.
    pub count: U64,
}

/// One write of a [`WriteMulti`].
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
pub struct WriteMultiEntry {
    /// The offset of the write in the region.
    pub offset: U64,
    /// A [`RegionIndex`].
    pub region: U32,
    /// The size of the data in bytes, at most 8.
    pub count: U32,
    /// The data, in the first `count` bytes.
    pub data: [u8; 8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<RegionInfo>(), 32);
        assert_eq!(size_of::<RegionAccess>(), 16);
        assert_eq!(size_of::<WriteMulti>(), 8);
        assert_eq!(size_of::<WriteMultiEntry>(), 24);
    }

    #[test]
    fn indices_convert_both_ways() {
        for (number, index) in (0..).zip(RegionIndex::ALL) {
            assert_eq!(u32::from(index), number);
            assert_eq!(RegionIndex::from(number), index);
        }
        for number in [9, 10, u32::MAX] {
            assert_eq!(RegionIndex::from(number), RegionIndex::Specific(number - 9));
            assert_eq!(u32::from(RegionIndex::from(number)), number);
        }
        assert_eq!(u32::from(RegionIndex::Specific(u32::MAX)), u32::MAX);
    }

    #[test]
    fn six_regions_are_bars() {
        let bars: Vec<_> = RegionIndex::ALL.into_iter().filter_map(RegionIndex::bar).collect();
        assert_eq!(bars, [0, 1, 2, 3, 4, 5]);
        assert_eq!(RegionIndex::Rom.bar(), None);
    }

    #[test]
    fn regions_display_as_in_pci() {
        let names = [RegionIndex::Bar5, RegionIndex::Rom, RegionIndex::Config, RegionIndex::Vga];
        assert_eq!(names.map(|index| index.to_string()), ["BAR 5", "ROM", "config space", "VGA"]);
        assert_eq!(RegionIndex::Specific(1).to_string(), "region 10");
    }
}
