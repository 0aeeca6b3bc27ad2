//! Accesses that cannot use the fast path, and those to regions without registers.

use super::{Access, Method, PciDevice, PciFunction, Region, bar_of};
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

    pub(super) fn read_rom(&self, offset: usize, data: &mut [u8]) {
        let image = self.descriptor.rom().unwrap_or_default();
        let rest = image.get(offset..).unwrap_or_default();
        let len = rest.len().min(data.len());
        data[..len].copy_from_slice(&rest[..len]);
        data[len..].fill(0xff);
    }
}

/// Accesses that cannot use the fast path. They are separate, so that the fast path stays short.
impl<D: PciDevice> PciFunction<D> {
    #[inline(never)]
    pub(super) fn read_long(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        if self.is_held() {
            return self.read_held(region, offset, data);
        }
        if self.is_off(region, false, offset) {
            data.fill(0xff);
            return Ok(());
        }
        if let Some(bar) = region.bar() {
            return self.read_bar(bar, offset, data);
        }
        let start = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        match region {
            RegionIndex::Config => self.read_config(start, data)?,
            RegionIndex::Rom => self.read_rom(start, data),
            _ => self.access(region, offset, Access::Read(data))?,
        }
        Ok(())
    }

    /// Reads from a BAR, and compares the result with that of the last read.
    #[cold]
    pub(super) fn read_compared(
        &mut self,
        bar: usize,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        self.read_long(RegionIndex::ALL[bar], offset, data)?;
        self.compare_read(bar, offset, data);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn write_long(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Errno> {
        if self.is_held() {
            self.write_held(region, offset, data);
            return Ok(());
        }
        if self.is_off(region, true, offset) {
            return Ok(());
        }
        if let Some(bar) = region.bar() {
            self.write_bar(bar, offset, data)?;
            let written = offset..offset.saturating_add(data.len() as u64);
            let reached = bar_of(region).map(|bar| self.descriptor.origin(bar));
            self.poll_watched(reached.map(|bar| (bar, &written)));
            return Ok(());
        }
        let start = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        match region {
            RegionIndex::Config => self.write_config(start, data)?,
            RegionIndex::Rom => return Err(Errno::EINVAL),
            _ => self.access(region, offset, Access::Write(data))?,
        }
        Ok(())
    }
}
