//! A function that consists of memory, some of it mappable.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use vfio_user::Dma;
use vfio_user::declaration::{Descriptor, Ids};
use vfio_user::function::{BackgroundWork, Function, Interrupts, Migrate, Region, RegionMapping};
use vfio_user::protocol::{Errno, RegionFlags, RegionIndex, SparseArea};

use crate::files;

/// BAR 0: 16 KiB in a file, one page of them mappable.
/// BAR 1: [`Ram::LARGE`] bytes, by messages.
/// BAR 2: 8 KiB from the second page of a file on, all mappable.
/// BAR 3: 64 KiB in a file, two areas mappable.
/// BAR 4: read-only, BAR 5: write-only.
#[derive(Debug)]
pub struct Ram {
    file: File,
    memory: Vec<u8>,
    interrupts: Arc<Interrupts>,
    dma: Dma,
    sparse: Vec<SparseArea>,
}

impl Ram {
    /// The size of BAR 1.
    pub const LARGE: usize = 4 << 20;

    /// Creates a function whose memory is all zeros.
    ///
    /// # Panics
    ///
    /// If the system has no memory.
    pub fn new() -> Self {
        let descriptor =
            Descriptor::new("ram", Ids::default()).with_msix_in_own_bar(8, None).with_intx();
        let area = |offset: u64, size: u64| SparseArea { offset: offset.into(), size: size.into() };
        Ram {
            file: files::memory(0x2_0000),
            memory: vec![0; Self::LARGE],
            interrupts: Arc::new(Interrupts::new(&descriptor)),
            dma: Dma::default(),
            sparse: vec![area(0x1000, 0x1000), area(0, 0x2000), area(0x8000, 0x4000)],
        }
    }

    /// Returns the file behind BARs 0, 2 and 3.
    ///
    /// # Panics
    ///
    /// If no more descriptors may be opened.
    pub fn file(&self) -> File {
        self.file.try_clone().expect("descriptor")
    }
}

impl Default for Ram {
    fn default() -> Self {
        Self::new()
    }
}

impl Migrate for Ram {}

impl BackgroundWork for Ram {}

impl Function for Ram {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        let both = RegionFlags::READ | RegionFlags::WRITE;
        let mappable = |size, offset, areas| Region {
            flags: both,
            size,
            mapping: Some(RegionMapping { file: self.file.as_fd(), offset, areas }),
            ty: None,
        };
        match index {
            RegionIndex::Bar0 => mappable(0x4000, 0, &self.sparse[..1]),
            RegionIndex::Bar1 => Region::by_messages(both, Self::LARGE as u64),
            RegionIndex::Bar2 => mappable(0x2000, 0x1000, &[]),
            RegionIndex::Bar3 => mappable(0x1_0000, 0x1_0000, &self.sparse[1..]),
            RegionIndex::Bar4 => Region::by_messages(RegionFlags::READ, 16),
            RegionIndex::Bar5 => Region::by_messages(RegionFlags::WRITE, 16),
            RegionIndex::Config => Region::by_messages(both, 256),
            _ => Region::ABSENT,
        }
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        if region == RegionIndex::Bar0 {
            self.file.read_exact_at(data, offset)?;
            return Ok(());
        }
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        data.copy_from_slice(&self.memory[offset..offset + data.len()]);
        Ok(())
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if region == RegionIndex::Bar0 {
            self.file.write_all_at(data, offset)?;
            return Ok(());
        }
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        self.memory[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn reset(&mut self) {
        self.memory.fill(0);
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        &self.interrupts
    }

    fn dma(&self) -> &Dma {
        &self.dma
    }
}
