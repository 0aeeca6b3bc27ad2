//! The memory that a device accesses.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Serialize;
use vfio_user::client::{Client, ClientMemory, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, Errno};

use crate::error::Error;
use crate::hex::{Hex, row};
use crate::print;

/// Memory at an address.
pub(super) struct Memory {
    iova: u64,
    /// The content at first.
    before: Vec<u8>,
    shown: Arc<Shown>,
}

/// Memory whose accesses by messages are printed.
struct Shown {
    iova: u64,
    file: File,
    json: bool,
}

impl Memory {
    pub(super) fn new(iova: u64, before: Vec<u8>, json: bool) -> Result<Self, Error> {
        let file = memfd_create(c"vfu-dma", MFdFlags::MFD_CLOEXEC).map_err(std::io::Error::from)?;
        let file = File::from(file);
        file.write_all_at(&before, 0)?;
        Ok(Memory { iova, before, shown: Arc::new(Shown { iova, file, json }) })
    }

    fn size(&self) -> u64 {
        self.before.len() as u64
    }

    /// Maps it for the device, without a descriptor if the device has to send messages.
    pub(super) fn map(&self, client: &Client, by_messages: bool) -> vfio_user::Result<()> {
        let (iova, size, rights) = (self.iova, self.size(), DmaMapFlags::READ | DmaMapFlags::WRITE);
        if by_messages {
            let memory = Arc::clone(&self.shown);
            return client.dma_map_memory(iova, size, memory, rights);
        }
        let file = self.shown.file.as_fd();
        client.dma_map(DmaMapping { iova, size, file, offset: 0, rights })
    }

    pub(super) fn unmap(&self, client: &Client) -> vfio_user::Result<()> {
        client.dma_unmap(self.iova, self.size())
    }

    /// Returns the present content.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.before.len()];
        self.shown.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

impl Shown {
    fn show(&self, direction: &'static str, offset: u64, bytes: &[u8]) {
        let iova = Hex(self.iova + offset);
        // The device's access is served also if no reader of the output is left.
        let _ = print::line(self.json, &Access { direction, iova, bytes });
    }
}

impl ClientMemory for Shown {
    fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        ClientMemory::read(&self.file, offset, data)?;
        self.show("read", offset, data);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        ClientMemory::write(&self.file, offset, data)?;
        self.show("write", offset, data);
        Ok(())
    }
}

/// An access of the device.
#[derive(Serialize)]
struct Access<'a> {
    #[serde(rename = "access")]
    direction: &'static str,
    iova: Hex,
    bytes: &'a [u8],
}

impl Display for Access<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const MOST: usize = 16;
        let Access { direction, iova, bytes } = self;
        let more = if bytes.len() > MOST { " .." } else { "" };
        let shown = row(&bytes[..bytes.len().min(MOST)]);
        write!(f, "{direction:5} {iova}+{:#x}:{shown}{more}", bytes.len())
    }
}

/// The rows of memory that differ from the first content.
pub(super) struct Rows<'a> {
    pub(super) memory: &'a Memory,
    pub(super) after: &'a [u8],
    pub(super) json: bool,
}

/// A row in which bytes have changed.
#[derive(Serialize)]
struct Changed<'a> {
    changed: Hex,
    bytes: &'a [u8],
}

impl Display for Changed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:{}", self.changed.0, row(self.bytes))
    }
}

impl Rows<'_> {
    const BYTES: usize = 16;

    pub(super) fn print(&self) -> Result<(), Error> {
        let rows = self.memory.before.chunks(Self::BYTES).zip(self.after.chunks(Self::BYTES));
        for (place, (before, bytes)) in rows.enumerate() {
            if before != bytes {
                let changed = Hex(self.memory.iova + (place * Self::BYTES) as u64);
                print::line(self.json, &Changed { changed, bytes })?;
            }
        }
        Ok(())
    }
}
