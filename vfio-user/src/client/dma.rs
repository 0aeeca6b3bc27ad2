//! Memory that the device may access.

use std::os::fd::BorrowedFd;

use zerocopy::IntoBytes;

use super::Client;
use crate::error::Result;
use crate::protocol::{Command, DmaMap, DmaMapFlags, DmaUnmap};

impl Client {
    /// Lets the device access `size` bytes of `file` from `offset` on, at address `iova`
    /// (`VFIO_USER_DMA_MAP`). `rights` are [`DmaMapFlags::READ`] and [`DmaMapFlags::WRITE`], from
    /// the device's side.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn dma_map(
        &self,
        iova: u64,
        size: u64,
        file: BorrowedFd<'_>,
        offset: u64,
        rights: DmaMapFlags,
    ) -> Result<()> {
        let map = DmaMap {
            argsz: 32.into(),
            flags: rights.bits().into(),
            offset: offset.into(),
            address: iova.into(),
            size: size.into(),
        };
        self.connection().request(Command::DmaMap, &[map.as_bytes()], &[file])?;
        Ok(())
    }

    /// Takes back what was mapped at exactly this range (`VFIO_USER_DMA_UNMAP`). When this returns,
    /// the device accesses it no more.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn dma_unmap(&self, iova: u64, size: u64) -> Result<()> {
        let unmap =
            DmaUnmap { argsz: 24.into(), flags: 0.into(), address: iova.into(), size: size.into() };
        self.connection().request(Command::DmaUnmap, &[unmap.as_bytes()], &[])?;
        Ok(())
    }
}
