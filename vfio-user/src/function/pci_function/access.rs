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
}
