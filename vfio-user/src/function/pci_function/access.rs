//! Accesses to regions, and parts of regions, without registers.

use super::{Access, Method, PciDevice, PciFunction, Region};
use crate::protocol::{Errno, RegionIndex};

impl<D: PciDevice> PciFunction<D> {
    pub(super) fn specific_region(&self, index: RegionIndex) -> Region<'_> {
        let region = self.descriptor.specific_region(index);
        region.map_or(Region::ABSENT, |region| Region {
            ty: Some(region.ty),
            ..Region::by_messages(region.access, region.size)
        })
    }

    /// Reads or writes a region that only the author serves.
    pub(super) fn access(
        &mut self,
        region: RegionIndex,
        offset: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        self.call(Method::Access, |device, cx| device.access(cx, region, offset, access))
    }

    /// Reads from a BAR, or from a part of it that is not shared.
    pub(super) fn read_part(
        &mut self,
        bar: usize,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        let is_free = self.maps[bar].is_empty();
        self.bus(bar, |bus| {
            if is_free { bus.read_unregistered(offset, data) } else { bus.read(offset, data) }
        })
    }

    /// Writes to a BAR, or to a part of it that is not shared.
    pub(super) fn write_part(&mut self, bar: usize, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let is_free = self.maps[bar].is_empty();
        self.bus(bar, |bus| {
            if is_free { bus.write_unregistered(offset, data) } else { bus.write(offset, data) }
        })
    }
}
