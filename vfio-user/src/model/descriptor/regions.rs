//! Regions beyond BARs, ROM and configuration space, which
//! [`Device::access`](crate::Device::access) serves.

use super::Descriptor;
use crate::layout::{self, Check};
use crate::model::RegionType;
use crate::protocol::{RegionFlags, RegionIndex};

/// A device specific region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecificRegion {
    /// The type of the region.
    pub ty: RegionType,
    /// The size in bytes.
    pub size: u64,
    /// The accesses that clients may make: reads, writes, or both.
    pub access: RegionFlags,
}

/// Regions that [`Device::configure`](crate::Device::configure) adds.
impl Descriptor {
    /// The size of the region with the VGA ranges, in bytes: to the end of the highest of them.
    pub const VGA_SIZE: u64 = 0xc_0000;

    /// Makes the function decode the VGA ranges ([`RegionIndex::Vga`]).
    pub fn set_vga(&mut self) {
        self.vga = true;
    }

    /// Adds a region of the device's own, and returns its index. Clients that know its type may use
    /// it.
    ///
    /// Of `access`, only reading and writing have an effect.
    ///
    /// ```
    /// # use vfio_user::declaration::{Descriptor, Ids, RegionType};
    /// # let mut descriptor = Descriptor::new("", Ids::default());
    /// use vfio_user::protocol::{RegionFlags, RegionIndex};
    ///
    /// const LOG: RegionType = RegionType::of_vendor(0x1af4, 1);
    /// let log = descriptor.add_region(LOG, 0x1000, RegionFlags::READ);
    /// assert_eq!(log, RegionIndex::Specific(0));
    /// ```
    pub fn add_region(&mut self, ty: RegionType, size: u64, access: RegionFlags) -> RegionIndex {
        let access = access & (RegionFlags::READ | RegionFlags::WRITE);
        self.specific.push(SpecificRegion { ty, size, access });
        RegionIndex::Specific(u32::try_from(self.specific.len() - 1).unwrap_or(u32::MAX))
    }

    /// Returns whether the function decodes the VGA ranges.
    pub const fn has_vga(&self) -> bool {
        self.vga
    }

    /// Returns the regions of the device's own, in their order.
    pub fn specific_regions(&self) -> &[SpecificRegion] {
        &self.specific
    }

    /// Returns a region of the device's own; `None` for any other.
    pub(crate) fn specific_region(&self, index: RegionIndex) -> Option<&SpecificRegion> {
        match index {
            RegionIndex::Specific(index) => self.specific.get(usize::try_from(index).ok()?),
            _ => None,
        }
    }

    pub(super) fn check_regions(&self) -> Check<'static> {
        layout::specific_regions(self.specific.len() as u64)?;
        (0..).zip(&self.specific).try_for_each(|(index, region)| {
            layout::specific_region(RegionIndex::Specific(index).into(), region.size)
        })
    }
}
