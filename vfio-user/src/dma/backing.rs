//! How the bytes of a region are accessed.

use std::io;
use std::sync::Arc;

use super::DmaError;
use super::file::ClientFile;
use super::transfers::Transfers;
use crate::sys::Mapping;
use crate::tape::{Fault, RegionKind, Tap};

#[derive(Clone, Debug)]
pub(super) enum Backing {
    /// In a mapping of the client's file, `start` bytes from its start.
    Mapped { file: Arc<ClientFile>, start: usize },
    /// By reads and writes of the client's file, `start` bytes from its start.
    File { file: Arc<ClientFile>, start: u64 },
    /// By messages to the client.
    Messages(Arc<Transfers>),
    /// As another one, and recorded or replayed.
    Tapped(Arc<Tapped>),
    /// By a recording alone, of memory that was mapped or not.
    Replayed { is_mapped: bool },
}

impl Backing {
    #[inline]
    pub(super) fn is_mapped(&self) -> bool {
        match self {
            Backing::Mapped { .. } => true,
            Backing::Tapped(tapped) => tapped.inner.is_mapped(),
            Backing::Replayed { is_mapped } => *is_mapped,
            _ => false,
        }
    }

    #[inline]
    pub(super) fn mapping(&self) -> Option<(&Mapping, usize)> {
        match self {
            Backing::Mapped { file, start } => file.mapping().map(|mapping| (mapping, *start)),
            Backing::Tapped(tapped) => tapped.inner.mapping(),
            _ => None,
        }
    }

    pub(super) fn file(&self) -> Option<&ClientFile> {
        match self {
            Backing::Mapped { file, .. } | Backing::File { file, .. } => Some(file),
            Backing::Tapped(tapped) => tapped.inner.file(),
            _ => None,
        }
    }

    /// Returns what a recording says of it.
    pub(super) fn kind(&self) -> RegionKind {
        match self {
            Backing::Messages(_) => RegionKind::Messages,
            _ if self.is_mapped() => RegionKind::Mapped,
            _ => RegionKind::File,
        }
    }
}

/// The backing of a region that is recorded, or that stands for a recorded one.
#[derive(Debug)]
pub(super) struct Tapped {
    pub(super) inner: Backing,
    tap: Arc<dyn Tap>,
}

impl Tapped {
    pub(super) fn new(inner: Backing, tap: Arc<dyn Tap>) -> Self {
        Tapped { inner, tap }
    }

    pub(super) fn tap(&self) -> &Arc<dyn Tap> {
        &self.tap
    }

    /// Reads bytes at an address; `access` reads them from the inner backing.
    pub(super) fn read(
        &self,
        iova: u64,
        data: &mut [u8],
        mut access: impl FnMut(&mut [u8]) -> Result<(), DmaError>,
    ) -> Result<(), DmaError> {
        let mut access = |data: &mut [u8]| access(data).map_err(|error| fault(&error));
        self.tap.read(iova, data, &mut access).map_err(|fault| error(fault, iova))
    }

    /// Writes bytes at an address; `access` writes them to the inner backing.
    pub(super) fn write(
        &self,
        iova: u64,
        data: &[u8],
        mut access: impl FnMut() -> Result<(), DmaError>,
    ) -> Result<(), DmaError> {
        let mut access = || access().map_err(|error| fault(&error));
        self.tap.write(iova, data, &mut access).map_err(|fault| error(fault, iova))
    }
}

fn fault(error: &DmaError) -> Fault {
    match error {
        DmaError::NotMapped { .. } => Fault::NotMapped,
        DmaError::Misaligned { .. } => Fault::Misaligned,
        DmaError::Io { source, .. } => Fault::Io(source.raw_os_error().unwrap_or(0)),
        _ => Fault::Lost,
    }
}

fn error(fault: Fault, iova: u64) -> DmaError {
    match fault {
        Fault::Lost => DmaError::Lost { iova },
        Fault::NotMapped => DmaError::NotMapped { iova },
        Fault::Misaligned => DmaError::Misaligned { iova },
        Fault::Io(number) => DmaError::Io { iova, source: io::Error::from_raw_os_error(number) },
    }
}
