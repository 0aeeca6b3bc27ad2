//! Helpers of the tests of the client's memory.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use crate::files;
use crate::raw::RawClient;
use crate::wire;
use crate::zoo::{dma_go, dma_status, reg};

/// Bytes of a page.
pub const PAGE: u64 = 0x1000;

/// Drives the copying of a [`Zoo`](crate::zoo::Zoo).
pub trait Driver {
    /// Starts an operation and returns its status.
    fn dma(&mut self, what: u32) -> u32;
    /// Copies, and returns the status.
    fn copy(&mut self, source: u64, target: u64, len: u32) -> u32;
    /// Reads eight bytes by the device.
    ///
    /// # Errors
    ///
    /// The status, if the read fails.
    fn load(&mut self, iova: u64) -> Result<u64, u32>;
    /// Writes eight bytes by the device, and returns the status.
    fn store(&mut self, iova: u64, value: u64) -> u32;
    /// Maps a file, and returns the error, if any.
    fn map(&mut self, flags: u32, offset: u64, iova: u64, size: u64, file: &File) -> Option<u32>;
}

impl Driver for RawClient {
    fn dma(&mut self, what: u32) -> u32 {
        self.write(0, reg::DMA_GO, &what.to_le_bytes());
        wire::u32_at(&self.read(0, reg::DMA_STATUS, 4), 0)
    }

    fn copy(&mut self, source: u64, target: u64, len: u32) -> u32 {
        self.write(0, reg::DMA_SOURCE, &source.to_le_bytes());
        self.write(0, reg::DMA_TARGET, &target.to_le_bytes());
        self.write(0, reg::DMA_LEN, &len.to_le_bytes());
        self.dma(dma_go::COPY)
    }

    fn load(&mut self, iova: u64) -> Result<u64, u32> {
        self.write(0, reg::DMA_SOURCE, &iova.to_le_bytes());
        match self.dma(dma_go::READ) {
            dma_status::DONE => Ok(self.number(0, reg::DMA_DATA, 8)),
            status => Err(status),
        }
    }

    fn store(&mut self, iova: u64, value: u64) -> u32 {
        self.write(0, reg::DMA_TARGET, &iova.to_le_bytes());
        self.write(0, reg::DMA_DATA, &value.to_le_bytes());
        self.dma(dma_go::WRITE)
    }

    fn map(&mut self, flags: u32, offset: u64, iova: u64, size: u64, file: &File) -> Option<u32> {
        self.dma_map(flags, offset, iova, size, Some(file.as_fd())).errno()
    }
}

/// The number that [`numbers`] writes at an offset.
pub fn tagged(offset: u64, tag: u64) -> u64 {
    offset | (tag << 32)
}

/// Creates a file of numbers: the one at `offset` is `offset` itself, plus a tag.
///
/// # Panics
///
/// If the system refuses.
pub fn numbers(size: u64, tag: u64) -> File {
    let file = files::memory(size);
    for offset in (0..size).step_by(8) {
        file.write_all_at(&tagged(offset, tag).to_le_bytes(), offset).unwrap();
    }
    file
}

/// Returns eight bytes of a file.
///
/// # Panics
///
/// If it has fewer.
pub fn at(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u64::from_le_bytes(bytes)
}
