//! Drivers on a bench.

use super::Bench;
use crate::device::PciDevice;
use crate::driver::{Bars, Width};
use crate::protocol::{Errno, RegionIndex};

/// A typed driver runs on a bench, which makes the accesses as a client's messages do. The error is
/// the one that the client would receive.
impl<D: PciDevice> Bars for Bench<D> {
    type Error = Errno;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        let len = usize::from(width.bytes());
        self.try_read(region(bar)?, offset, &mut bytes[..len])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Errno> {
        let len = usize::from(width.bytes());
        self.try_write(region(bar)?, offset, &value.to_le_bytes()[..len])
    }
}

fn region(bar: u8) -> Result<RegionIndex, Errno> {
    let region = RegionIndex::from(u32::from(bar));
    if region.bar().is_some() { Ok(region) } else { Err(Errno::EINVAL) }
}
