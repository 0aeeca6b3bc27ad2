//! Errors of libvfio-user for requests that the server does (`LIBVFIO_USER_COMPAT=1`).

use std::cell::Cell;

use vfio_user::protocol::{Command, Errno, MigrationState, Version};

use crate::callbacks::Result;
use crate::context::Context;
use crate::migration::word;

/// The largest region of memory: 8 TiB.
const MAX_DMA_SIZE: u64 = 8 << 40;
/// The largest reply that a client may ask for, in bytes.
const MAX_DATA: u32 = 1 << 20;
/// The most descriptors that a client may accept.
const MAX_MSG_FDS: u32 = 1024;
/// The page size of logs of written pages, in bytes.
const PAGE_SIZE: u64 = 4096;

/// `VFIO_DEVICE_FEATURE_DMA_LOGGING_*` and `VFIO_DEVICE_FEATURE_PROBE`.
const LOGGING_START: u32 = 6;
const LOGGING_STOP: u32 = 7;
const LOGGING_REPORT: u32 = 8;
const PROBE: u32 = 1 << 18;

/// What the quirks remember of a client.
#[derive(Debug, Default)]
pub(crate) struct Quirks {
    /// The page size of its log, while there is one.
    logged_page: Cell<Option<u64>>,
}

impl Context {
    /// Refuses what libvfio-user refuses.
    pub(crate) fn check_quirks(&self, command: Command, payload: &[u8]) -> Result<()> {
        let is_valid = match command {
            Command::Version => self.check_version(payload),
            _ if self.is_stopped() && !is_for_stopped(command) => false,
            Command::DmaMap if long(payload, 24).is_some_and(|size| size > MAX_DMA_SIZE) => {
                return Err(Errno::ENOSPC);
            }
            Command::DmaUnmap => return self.check_unmap(payload),
            Command::DeviceFeature => return self.check_feature(payload),
            Command::MigDataRead | Command::MigDataWrite => {
                word(payload, 4).is_none_or(|size| u64::from(size) <= self.max_data.get())
            }
            _ => true,
        };
        if is_valid { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn is_stopped(&self) -> bool {
        matches!(self.migration_state.get(), MigrationState::Stop | MigrationState::StopCopy)
    }

    fn check_version(&self, payload: &[u8]) -> bool {
        // What cannot be parsed is refused anyway.
        let Ok(version) = Version::decode(payload) else { return true };
        let client = version.capabilities;
        self.quirks.logged_page.set(None);
        let has_page = client.migration.is_none_or(|migration| migration.pgsize == PAGE_SIZE);
        client.max_msg_fds <= MAX_MSG_FDS && has_page
    }

    /// Only a region that exists is unmapped.
    fn check_unmap(&self, payload: &[u8]) -> Result<()> {
        let (Some(argsz), Some(0)) = (word(payload, 0), word(payload, 4)) else { return Ok(()) };
        let (Some(iova), Some(size)) = (long(payload, 8), long(payload, 16)) else {
            return Ok(());
        };
        if !(24..=MAX_DATA).contains(&argsz) {
            return Err(Errno::EINVAL);
        }
        let region = self.dma.region(iova);
        let exists = region.is_some_and(|region| region.iova() == iova && region.len() == size);
        if exists { Ok(()) } else { Err(Errno::ENOENT) }
    }

    /// Logs need memory and migration, and keep their page size.
    fn check_feature(&self, payload: &[u8]) -> Result<()> {
        let Some(flags) = word(payload, 4).filter(|flags| flags & PROBE == 0) else {
            return Ok(());
        };
        let feature = flags & 0xffff;
        let has_memory = self.max_dma_regions.get().is_some();
        let is_of_memory = (LOGGING_START..=LOGGING_REPORT).contains(&feature);
        if self.callbacks.migration.get().is_none() || (is_of_memory && !has_memory) {
            return Err(Errno::EINVAL);
        }
        match feature {
            LOGGING_START => self.check_log(long(payload, 8)),
            LOGGING_STOP => {
                self.quirks.logged_page.set(None);
                Ok(())
            }
            LOGGING_REPORT => self.check_report(payload),
            _ => Ok(()),
        }
    }

    fn check_log(&self, page: Option<u64>) -> Result<()> {
        let logged = self.quirks.logged_page.get();
        if logged.is_some() && page != logged {
            return Err(Errno::EINVAL);
        }
        self.quirks.logged_page.set(page.filter(|page| *page > 0));
        Ok(())
    }

    fn check_report(&self, payload: &[u8]) -> Result<()> {
        let (Some(iova), Some(length)) = (long(payload, 8), long(payload, 16)) else {
            return Ok(());
        };
        let region = self.dma.region(iova).ok_or(Errno::ENOENT)?;
        if region.iova() != iova {
            return Err(Errno::ENOTSUP);
        }
        let has_page = long(payload, 24).is_none_or(|page| page <= length);
        if has_page && region.file().is_some() { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// Returns whether libvfio-user does a request of a stopped device.
fn is_for_stopped(command: Command) -> bool {
    matches!(
        command,
        Command::RegionRead | Command::RegionWrite | Command::DeviceFeature | Command::MigDataRead
    )
}

/// Returns a double word of a payload.
fn long(payload: &[u8], offset: usize) -> Option<u64> {
    let bytes = payload.get(offset..offset + 8)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}
