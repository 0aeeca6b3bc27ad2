//! The data structures of Identify (5.15).

use crate::disk::{BLOCK, Disk};
use crate::features::WARNING_TEMPERATURE;
use crate::subsystem::Subsystem;

/// The maximum size of a transfer in pages of 4 KiB, as a power of two (MDTS).
const MAX_TRANSFER_PAGES: u8 = 8;
pub(crate) const MAX_TRANSFER: u64 = 4096 << MAX_TRANSFER_PAGES;
/// Asynchronous Event Request Limit and Abort Command Limit, which count from zero.
pub(crate) const EVENT_REQUESTS: u8 = 3;

/// A page of 4 KiB that is filled by byte offsets, as the specification gives them.
struct Page([u8; 4096]);

impl Page {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    /// Puts text, padded with spaces.
    fn text(&mut self, at: usize, len: usize, text: &str) {
        self.0[at..at + len].fill(b' ');
        self.0[at..][..text.len().min(len)]
            .copy_from_slice(&text.as_bytes()[..text.len().min(len)]);
    }
}

/// Identify Controller (figure 247).
pub(crate) fn controller(subsystem: &Subsystem) -> [u8; 4096] {
    let mut page = Page([0; 4096]);
    page.put(0, 0x1234_u16.to_le_bytes());
    page.text(4, 20, &subsystem.serial);
    page.text(24, 40, "vfio-user NVMe controller");
    page.text(64, 8, env!("CARGO_PKG_VERSION"));
    // Recommended arbitration burst, and the maximum size of a transfer.
    page.put(72, [6]);
    page.put(77, [MAX_TRANSFER_PAGES]);
    page.put(80, 0x0001_0400_u32.to_le_bytes());
    // I/O controller.
    page.put(111, [1]);
    // Doorbell Buffer Config.
    page.put(256, 0x100_u16.to_le_bytes());
    page.put(258, [EVENT_REQUESTS, EVENT_REQUESTS]);
    // One firmware slot, which is read-only; log pages have an offset.
    page.put(260, [0b11, 0b100]);
    // Temperatures that warn and are critical, in kelvin.
    page.put(266, WARNING_TEMPERATURE.to_le_bytes());
    page.put(268, 353_u16.to_le_bytes());
    put_nvm_attributes(&mut page, subsystem.count());
    // Two controllers of one name are taken for one with two paths, or refused.
    let name = format!("nqn.2024-01.org.example:vfio-user-nvme:{}", subsystem.serial);
    page.0[768..][..name.len()].copy_from_slice(name.as_bytes());
    // One power state, of 25 W.
    page.put(2048, 2500_u16.to_le_bytes());
    page.0
}

/// The attributes of the NVM command set, from byte 512 on.
fn put_nvm_attributes(page: &mut Page, namespaces: u32) {
    // Entries of 64 and 16 bytes.
    page.put(512, [0x66, 0x44]);
    page.put(516, namespaces.to_le_bytes());
    // Compare, Dataset Management, Write Zeroes.
    page.put(520, 0b1101_u16.to_le_bytes());
    // SGLs of any alignment, and bit buckets.
    page.put(536, (1_u32 | 1 << 16).to_le_bytes());
    // A write cache, which Flush with all namespaces flushes as well.
    page.put(525, [0b111]);
}

/// Identify Namespace (figure 245).
pub(crate) fn namespace(disk: &Disk) -> [u8; 4096] {
    let mut page = Page([0; 4096]);
    let blocks = disk.blocks().to_le_bytes();
    for at in [0, 8, 16] {
        page.put(at, blocks);
    }
    // Released blocks read as zeros, and Write Zeroes may release blocks.
    page.put(33, [0b1001]);
    // One format: blocks of 512 bytes.
    page.put(130, [u8::try_from(BLOCK.ilog2()).unwrap_or(9)]);
    page.0
}

/// Active Namespace ID list: the numbers above `after`.
pub(crate) fn active(subsystem: &Subsystem, after: u32) -> [u8; 4096] {
    let mut page = Page([0; 4096]);
    for (place, nsid) in (after.saturating_add(1)..=subsystem.count()).take(1024).enumerate() {
        page.put(4 * place, nsid.to_le_bytes());
    }
    page.0
}

/// Namespace Identification Descriptor list: one UUID.
pub(crate) fn descriptors(subsystem: &Subsystem, nsid: u32) -> [u8; 4096] {
    let mut page = Page([0; 4096]);
    page.put(0, [3, 16]);
    page.put(4, subsystem.uuid(nsid).to_be_bytes());
    page.0
}
