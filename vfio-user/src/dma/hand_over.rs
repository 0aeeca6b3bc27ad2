//! The memory that the client has mapped, for another program that continues to serve the client.

use std::collections::HashMap;
use std::io;
use std::ops::RangeInclusive;
use std::ptr;

use serde::{Deserialize, Serialize};

use super::file::ClientFile;
use super::{AccessMode, Dma, NewRegion, Rights};
use crate::fds::PeerFd;
use crate::parcel::{FdNumber, Packing, ParcelError, Unpacking};
use crate::protocol::Errno;

/// A region that the client has mapped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ClientRegion {
    first: u64,
    last: u64,
    can_read: bool,
    can_write: bool,
    /// `None` if messages reach it.
    file: Option<RegionFile>,
}

/// The file of a region.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct RegionFile {
    fd: FdNumber,
    offset: u64,
    is_mapped: bool,
}

impl ClientRegion {
    pub(crate) fn range(&self) -> RangeInclusive<u64> {
        self.first..=self.last
    }
}

impl Dma {
    /// Adds all memory of the client to a parcel.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn pack(&self, parcel: &mut Packing) -> io::Result<Vec<ClientRegion>> {
        let table = self.mapped(&self.changes());
        let mut sent = HashMap::<*const ClientFile, FdNumber>::new();
        let mut pack = |file: &ClientFile| {
            let key = ptr::from_ref(file);
            if let Some(number) = sent.get(&key) {
                return Ok(*number);
            }
            let number = parcel.add(file.try_clone()?);
            sent.insert(key, number);
            io::Result::Ok(number)
        };
        let regions = table.regions().map(|region| {
            let is_mapped = region.is_mapped();
            let file = region.file().map(|(file, offset)| {
                io::Result::Ok(RegionFile { fd: pack(file)?, offset, is_mapped })
            });
            Ok(ClientRegion {
                first: region.first(),
                last: region.last(),
                can_read: region.rights().contains(Rights::READ),
                can_write: region.rights().contains(Rights::WRITE),
                file: file.transpose()?,
            })
        });
        regions.collect()
    }

    /// Returns whether memory that the client has unmapped is still held.
    pub(crate) fn has_departed(&self) -> bool {
        self.changes().has_departed()
    }

    /// Adds a region of the parcel.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add); EBADF if its file is not in the parcel.
    pub(crate) fn unpack(&self, region: &ClientRegion, parcel: &Unpacking) -> Result<(), Errno> {
        let ClientRegion { first, last, can_read, can_write, file } = *region;
        let size = (last.checked_sub(first)).and_then(|rest| rest.checked_add(1));
        let size = size.ok_or(Errno::EINVAL)?;
        let mut rights = Rights::empty();
        rights.set(Rights::READ, can_read);
        rights.set(Rights::WRITE, can_write);
        let region = match file {
            None => NewRegion::messages(first, size, rights)?,
            Some(RegionFile { fd, offset, is_mapped }) => {
                let file = parcel.fd(fd).map(PeerFd::try_clone);
                let file = file.map_err(|_: ParcelError| Errno::EBADF)??;
                let access = if is_mapped { AccessMode::Mapping } else { AccessMode::FileIo };
                NewRegion::file(first, size, rights, file, offset, access, self.accepted())?
            }
        };
        self.add(region).map(drop)
    }
}
