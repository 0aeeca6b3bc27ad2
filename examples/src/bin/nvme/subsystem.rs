//! What the controller serves (7.10, 7.11), and the data structures of Identify (5.15).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use vfio_user_examples::{Disk, DiskQueue, page};

use crate::features::WARNING_TEMPERATURE;
use crate::io::{BLOCK, BLOCK_SHIFT};
use crate::spec::{BROADCAST, Command, ENTRY_SIZES, Outcome, Status};
use crate::turn::Job;

/// The maximum size of a transfer in pages of 4 KiB, as a power of two (MDTS).
const MAX_TRANSFER_PAGES: u8 = 8;
pub(crate) const MAX_TRANSFER: u64 = 4096 << MAX_TRANSFER_PAGES;
/// Asynchronous Event Request Limit and Abort Command Limit, which count from zero.
pub(crate) const EVENT_REQUESTS: u8 = 3;

/// A namespace and its index.
pub(crate) type Namespace<'a> = (usize, &'a Disk);

/// What a controller and its worker share. It does not migrate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    pub(crate) subsystem: Arc<Subsystem>,
    pub(crate) transfers: DiskQueue<Job>,
    /// A queue was not in memory (CSTS.CFS).
    pub(crate) is_fatal: Arc<AtomicBool>,
}

/// The NVM subsystem: a serial number, and namespaces, which are counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Subsystem {
    pub(crate) serial: String,
    pub(crate) disks: Vec<Disk>,
}

impl Subsystem {
    /// Returns a namespace.
    pub(crate) fn namespace(&self, nsid: u32) -> Outcome<Namespace<'_>> {
        let index = (nsid as usize).wrapping_sub(1);
        Ok((index, self.disks.get(index).ok_or(Status::INVALID_NAMESPACE)?))
    }

    /// Makes everything durable that has been written.
    pub(crate) fn flush(&self) -> Outcome<()> {
        Ok(self.disks.iter().try_for_each(Disk::flush)?)
    }

    /// Returns the number of namespaces.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.disks.len()).unwrap_or(u32::MAX)
    }

    /// Returns the UUID of a namespace: version 8 of RFC 9562, a hash of serial number and
    /// namespace number (FNV-1a), so that both ends of a migration have the same one.
    pub(crate) fn uuid(&self, nsid: u32) -> u128 {
        let bytes = self.serial.bytes().chain(nsid.to_le_bytes());
        let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
        });
        hash & !(0xf << 76 | 0b11 << 62) | 8 << 76 | 0b10 << 62
    }

    /// Returns the data structure of an Identify command.
    pub(crate) fn identify(&self, command: &Command) -> Outcome<[u8; 4096]> {
        let nsid = command.nsid.get();
        match command.cdw10.get() & 0xff {
            0x00 => Ok(namespace(self.namespace(nsid)?.1)),
            0x01 => Ok(self.controller()),
            0x02 if nsid >= BROADCAST - 1 => Err(Status::INVALID_NAMESPACE.into()),
            0x02 => Ok(self.active(nsid)),
            0x03 => self.namespace(nsid).map(|_| self.descriptors(nsid)),
            _ => Err(Status::INVALID_FIELD.into()),
        }
    }

    /// Identify Controller (figure 247).
    pub(crate) fn controller(&self) -> [u8; 4096] {
        // Two controllers of one name are taken for one with two paths, or refused.
        let name = format!("nqn.2024-01.org.example:vfio-user-nvme:{}", self.serial);
        page(&[
            (0, &0x1234_u16.to_le_bytes()),
            (4, format!("{:20}", self.serial).as_bytes()),
            (24, format!("{:40}", "vfio-user NVMe controller").as_bytes()),
            (64, format!("{:8.8}", env!("CARGO_PKG_VERSION")).as_bytes()),
            // Recommended arbitration burst, and the maximum size of a transfer.
            (72, &[6]),
            (77, &[MAX_TRANSFER_PAGES]),
            (80, &0x0001_0400_u32.to_le_bytes()),
            // I/O controller.
            (111, &[1]),
            // Doorbell Buffer Config.
            (256, &0x100_u16.to_le_bytes()),
            (258, &[EVENT_REQUESTS, EVENT_REQUESTS]),
            // One firmware slot, which is read-only; log pages have an offset.
            (260, &[0b11, 0b100]),
            // Temperatures that warn and are critical, in kelvin.
            (266, &WARNING_TEMPERATURE.to_le_bytes()),
            (268, &353_u16.to_le_bytes()),
            (512, &ENTRY_SIZES.map(|size| size << 4 | size)),
            (516, &self.count().to_le_bytes()),
            // Compare, Dataset Management, Write Zeroes.
            (520, &0b1101_u16.to_le_bytes()),
            // A write cache, which Flush with all namespaces flushes as well.
            (525, &[0b111]),
            // SGLs of any alignment, and bit buckets.
            (536, &(1_u32 | 1 << 16).to_le_bytes()),
            (768, name.as_bytes()),
            // One power state, of 25 W.
            (2048, &2500_u16.to_le_bytes()),
        ])
    }

    /// Active Namespace ID list: the numbers above `after`.
    fn active(&self, after: u32) -> [u8; 4096] {
        let ids = (after.saturating_add(1)..=self.count()).take(1024);
        page(&[(0, &ids.flat_map(u32::to_le_bytes).collect::<Vec<_>>())])
    }

    /// Namespace Identification Descriptor list: one UUID.
    fn descriptors(&self, nsid: u32) -> [u8; 4096] {
        page(&[(0, &[3, 16]), (4, &self.uuid(nsid).to_be_bytes())])
    }
}

/// Identify Namespace (figure 245).
fn namespace(disk: &Disk) -> [u8; 4096] {
    let blocks = &(disk.len() / BLOCK).to_le_bytes();
    // Released blocks read as zeros, and Write Zeroes may release blocks. One format: blocks of 512
    // bytes.
    page(&[(0, blocks), (8, blocks), (16, blocks), (33, &[0b1001]), (130, &[BLOCK_SHIFT])])
}
