//! The memory of the driver, which the controller accesses.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::Result;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::DmaMapFlags;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

use super::{PAGE, failed};

/// The first address at which the controller accesses it.
const BASE: u64 = 0x1_0000_0000;

/// Memory that is shared with a controller. Addresses are those of the controller.
#[derive(Debug)]
pub struct Memory {
    region: MmapRegion,
    /// The first byte that is not in use.
    free: AtomicU64,
}

impl Memory {
    /// Creates memory of `len` bytes, all zeros.
    ///
    /// # Errors
    ///
    /// If the system refuses it.
    pub fn new(len: usize) -> Result<Self> {
        let file =
            File::from(memfd_create(c"nvme", MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?);
        file.set_len(len as u64)?;
        let region = MmapRegion::from_file(FileOffset::new(file, 0), len).map_err(failed)?;
        Ok(Memory { region, free: AtomicU64::new(BASE) })
    }

    /// Lets the device of a client access it.
    ///
    /// # Errors
    ///
    /// Those of [`Client::dma_map`].
    ///
    /// # Panics
    ///
    /// Never: the memory has a file.
    pub fn share(&self, client: &Client) -> Result<()> {
        let file = self.region.file_offset().expect("it was created from a file").file();
        client.dma_map(DmaMapping {
            iova: BASE,
            size: self.region.size() as u64,
            file: file.as_fd(),
            offset: 0,
            rights: DmaMapFlags::READ | DmaMapFlags::WRITE,
        })
    }

    /// Returns the address of `len` bytes, in whole pages, that nothing else uses.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    pub fn allocate(&self, len: u64) -> u64 {
        let len = len.next_multiple_of(PAGE);
        let first = self.free.fetch_add(len, Ordering::Relaxed);
        assert!(first + len - BASE <= self.region.size() as u64, "the memory is in use");
        first
    }

    /// Copies bytes out of it.
    ///
    /// # Panics
    ///
    /// If they are outside.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        self.region.as_volatile_slice().read_slice(data, at(address)).expect("they are inside");
    }

    /// Copies bytes into it.
    ///
    /// # Panics
    ///
    /// If they are outside.
    pub fn write(&self, address: u64, data: &[u8]) {
        self.region.as_volatile_slice().write_slice(data, at(address)).expect("they are inside");
    }

    /// Returns a word.
    ///
    /// # Panics
    ///
    /// If it is outside, or not aligned.
    pub fn word(&self, address: u64) -> &AtomicU32 {
        self.region.get_atomic_ref(at(address)).expect("it is inside")
    }
}

fn at(address: u64) -> usize {
    usize::try_from(address - BASE).expect("it is inside")
}
