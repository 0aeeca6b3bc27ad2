//! Memory that is allocated for the device.

use std::os::fd::AsFd;
use std::sync::Arc;

use tracing::debug;

use super::Client;
use super::dma::HIGH_MEMORY;
use crate::error::{ArgumentError, Error, Result};
use crate::model::RegisterValue;
use crate::protocol::PAGE_SIZE;
use crate::shared::{Atomic, SharedError, aligned, load_word, sealed, store_word};
use crate::sys::Mapping;

/// Memory that both the client and the device access, as
/// [`PciView::allocate`](super::PciView::allocate) returns it.
///
/// It consists of zeros at first. Offsets count from its start. The device may change it at any
/// time, so no reference into it exists; bytes are copied, and words loaded and stored, by volatile
/// accesses. Dropping it unmaps it; [`unmap`](Self::unmap) returns the error if that fails.
#[derive(Debug)]
pub struct DmaBuffer {
    client: Arc<Client>,
    iova: u64,
    mapping: Mapping,
    is_mapped: bool,
}

impl DmaBuffer {
    /// Allocates at least `size` bytes, in whole pages of the server, and maps them for the device.
    pub(super) fn new(client: &Arc<Client>, size: u64) -> Result<Self> {
        let whole = size.max(1).checked_next_multiple_of(client.dma_page());
        let too_large = || Error::from(ArgumentError::NoAddresses(size));
        let whole = whole.filter(|whole| *whole < HIGH_MEMORY.end).ok_or_else(too_large)?;
        let len = usize::try_from(whole).map_err(|_| too_large())?;
        let file = sealed(c"dma-buffer", whole)?;
        let mapping = Mapping::new(file.as_fd(), 0, len, PAGE_SIZE, true)?;
        let iova = client.map_anywhere(file.as_fd(), whole)?;
        Ok(DmaBuffer { client: Arc::clone(client), iova, mapping, is_mapped: true })
    }

    /// Returns the address at which the device accesses it, a multiple of 0x1000.
    pub fn iova(&self) -> u64 {
        self.iova
    }

    /// Returns the number of bytes, a multiple of 0x1000.
    pub fn size(&self) -> u64 {
        self.mapping.len() as u64
    }

    /// Copies bytes out of it.
    ///
    /// # Errors
    ///
    /// [`SharedError::Outside`].
    pub fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), SharedError> {
        let at = self.locate(offset, data.len())?;
        Ok(self.mapping.read(at, data)?)
    }

    /// Copies bytes into it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), SharedError> {
        let at = self.locate(offset, data.len())?;
        Ok(self.mapping.write(at, data)?)
    }

    /// Loads a word of 1, 2, 4 or 8 bytes, little-endian, in one access with acquire ordering:
    /// later accesses see what the device stored before the word.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`SharedError::Misaligned`].
    pub fn load<T: RegisterValue>(&self, offset: u64) -> Result<T, SharedError> {
        let bits = load_word(offset, T::WIDTH, |bytes| self.read(offset, bytes))?;
        Ok(T::from_bits(bits))
    }

    /// Stores a word, as [`load`](Self::load), with release ordering: a device that sees the word
    /// also sees what was stored before it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn store<T: RegisterValue>(&self, offset: u64, value: T) -> Result<(), SharedError> {
        store_word(offset, value, |bytes| self.write(offset, bytes))
    }

    /// Operates on a word atomically, in the byte order of the host.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn atomic<A: Atomic, R>(
        &self,
        offset: u64,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, SharedError> {
        let at = self.locate(offset, aligned(offset, size_of::<A>())?)?;
        Ok(self.mapping.atomic(at, operation)?)
    }

    /// Unmaps it. Afterwards the device no longer accesses it.
    ///
    /// # Errors
    ///
    /// Those of any request. Its addresses stay reserved then.
    pub fn unmap(mut self) -> Result<()> {
        self.unmap_once()
    }

    fn unmap_once(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_mapped) {
            return Ok(());
        }
        self.client.dma_unmap(self.iova, self.size())
    }

    /// Returns the position of a range in the mapping.
    fn locate(&self, offset: u64, len: usize) -> Result<usize, SharedError> {
        let outside = SharedError::Outside { offset, len: len as u64 };
        let end = offset.checked_add(len as u64).ok_or(outside)?;
        if end > self.size() {
            return Err(outside);
        }
        usize::try_from(offset).map_err(|_| outside)
    }
}

impl Drop for DmaBuffer {
    fn drop(&mut self) {
        if let Err(error) = self.unmap_once() {
            debug!(iova = self.iova, %error, "a buffer stays mapped for the device");
        }
    }
}
