//! A BAR of a real function, mapped into this process.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Release};

use vfio_user::driver::{Bars, Width};
use vm_memory::volatile_memory::Error;
use vm_memory::{Bytes as _, FileOffset, MmapRegion, VolatileMemory as _};

/// BAR 0 of a function.
pub(crate) struct MappedBar(MmapRegion);

impl MappedBar {
    /// Maps the `resource0` of a function in sysfs.
    pub(crate) fn of_sysfs(resource: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(resource)?;
        let size = file.metadata()?.len();
        Self::new(file, 0, usize::try_from(size).map_err(io::Error::other)?)
    }

    /// Maps a region of a file: of a VFIO device, the offset and the size in `vfio_region_info`.
    fn new(file: File, offset: u64, size: usize) -> io::Result<Self> {
        let region = MmapRegion::from_file(FileOffset::new(file, offset), size);
        region.map(MappedBar).map_err(io::Error::other)
    }
}

impl Bars for MappedBar {
    type Error = Error;

    fn read(&mut self, _bar: u8, offset: u64, width: Width) -> Result<u64, Error> {
        let (bar, at) = (self.0.as_volatile_slice(), place(offset));
        Ok(match width {
            Width::U8 => bar.load::<u8>(at, Acquire)?.into(),
            Width::U16 => u16::from_le(bar.load(at, Acquire)?).into(),
            Width::U32 => u32::from_le(bar.load(at, Acquire)?).into(),
            Width::U64 => u64::from_le(bar.load(at, Acquire)?),
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "bits above the width are zero")]
    fn write(&mut self, _bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Error> {
        let (bar, at) = (self.0.as_volatile_slice(), place(offset));
        match width {
            Width::U8 => bar.store(value as u8, at, Release),
            Width::U16 => bar.store((value as u16).to_le(), at, Release),
            Width::U32 => bar.store((value as u32).to_le(), at, Release),
            Width::U64 => bar.store(value.to_le(), at, Release),
        }
    }
}

/// Returns an offset that is behind the mapping if it does not fit.
fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
