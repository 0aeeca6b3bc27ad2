//! The data structures of Identify (5.15).

use vfio_user_examples::Disk;

use crate::features::WARNING_TEMPERATURE;
use crate::io::{self, BLOCK_SHIFT};
use crate::spec::ENTRY_SIZES;
use crate::subsystem::Subsystem;

/// The maximum size of a transfer in pages of 4 KiB, as a power of two (MDTS).
const MAX_TRANSFER_PAGES: u8 = 8;
pub(crate) const MAX_TRANSFER: u64 = 4096 << MAX_TRANSFER_PAGES;
/// Asynchronous Event Request Limit and Abort Command Limit, which count from zero.
pub(crate) const EVENT_REQUESTS: u8 = 3;

/// Returns a page with bytes at offsets, as the specification gives them.
pub(crate) fn page<const LEN: usize>(parts: &[(usize, &[u8])]) -> [u8; LEN] {
    let mut page = [0; LEN];
    for (at, bytes) in parts {
        page[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    page
}

/// Identify Controller (figure 247).
pub(crate) fn controller(subsystem: &Subsystem) -> [u8; 4096] {
    // Two controllers of one name are taken for one with two paths, or refused.
    let name = format!("nqn.2024-01.org.example:vfio-user-nvme:{}", subsystem.serial);
    page(&[
        (0, &0x1234_u16.to_le_bytes()),
        (4, format!("{:20}", subsystem.serial).as_bytes()),
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
        (516, &subsystem.count().to_le_bytes()),
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

/// Identify Namespace (figure 245).
pub(crate) fn namespace(disk: &Disk) -> [u8; 4096] {
    let blocks = &io::blocks(disk).to_le_bytes();
    // Released blocks read as zeros, and Write Zeroes may release blocks. One format: blocks of 512
    // bytes.
    page(&[(0, blocks), (8, blocks), (16, blocks), (33, &[0b1001]), (130, &[BLOCK_SHIFT])])
}

/// Active Namespace ID list: the numbers above `after`.
pub(crate) fn active(subsystem: &Subsystem, after: u32) -> [u8; 4096] {
    let ids = (after.saturating_add(1)..=subsystem.count()).take(1024);
    page(&[(0, &ids.flat_map(u32::to_le_bytes).collect::<Vec<_>>())])
}

/// Namespace Identification Descriptor list: one UUID.
pub(crate) fn descriptors(subsystem: &Subsystem, nsid: u32) -> [u8; 4096] {
    page(&[(0, &[3, 16]), (4, &subsystem.uuid(nsid).to_be_bytes())])
}
