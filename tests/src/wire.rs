//! Numbers and payloads of the protocol, after the specification.

/// Bytes of a header.
pub const HEADER: usize = 16;

/// Commands (section 5 of the protocol's description).
pub mod command {
    #![allow(missing_docs, reason = "named as in the specification")]
    pub const VERSION: u16 = 1;
    pub const DMA_MAP: u16 = 2;
    pub const DMA_UNMAP: u16 = 3;
    pub const GET_INFO: u16 = 4;
    pub const GET_REGION_INFO: u16 = 5;
    pub const GET_REGION_IO_FDS: u16 = 6;
    pub const GET_IRQ_INFO: u16 = 7;
    pub const SET_IRQS: u16 = 8;
    pub const REGION_READ: u16 = 9;
    pub const REGION_WRITE: u16 = 10;
    pub const DMA_READ: u16 = 11;
    pub const DMA_WRITE: u16 = 12;
    pub const RESET: u16 = 13;
    pub const FEATURE: u16 = 16;
    pub const REGION_WRITE_MULTI: u16 = 15;
    pub const DEVICE_FEATURE: u16 = 16;
    pub const MIG_DATA_READ: u16 = 17;
    pub const MIG_DATA_WRITE: u16 = 18;
}

/// Header flags.
pub mod flag {
    /// The type of a reply.
    pub const REPLY: u32 = 1;
    /// The sender requests no reply.
    pub const NO_REPLY: u32 = 0x10;
    /// The reply reports an error.
    pub const ERROR: u32 = 0x20;
}

/// Error numbers of Linux.
pub mod errno {
    #![allow(missing_docs, reason = "named as in the system")]
    pub const EPERM: u32 = 1;
    pub const EIO: u32 = 5;
    pub const E2BIG: u32 = 7;
    pub const ENOMEM: u32 = 12;
    pub const EACCES: u32 = 13;
    pub const EFAULT: u32 = 14;
    pub const EBUSY: u32 = 16;
    pub const EEXIST: u32 = 17;
    pub const ENODEV: u32 = 19;
    pub const EINVAL: u32 = 22;
    pub const EMFILE: u32 = 24;
    pub const ENOTTY: u32 = 25;
    pub const ENOSPC: u32 = 28;
    pub const ENOSYS: u32 = 38;
}

/// Regions behind the BARs.
pub mod region {
    /// The expansion ROM.
    pub const ROM: u32 = 6;
    /// Configuration space.
    pub const CONFIG: u32 = 7;
    /// VGA.
    pub const VGA: u32 = 8;
}

/// Interrupt indices.
pub mod irq {
    #![allow(missing_docs, reason = "named as in the specification")]
    pub const INTX: u32 = 0;
    pub const MSI: u32 = 1;
    pub const MSIX: u32 = 2;
    pub const ERR: u32 = 3;
    pub const REQ: u32 = 4;

    pub const NONE: u32 = 0x1;
    pub const BOOL: u32 = 0x2;
    pub const EVENTFD: u32 = 0x4;
    pub const MASK: u32 = 0x8;
    pub const UNMASK: u32 = 0x10;
    pub const TRIGGER: u32 = 0x20;
}

/// Flags of a DMA map.
pub mod dma {
    #![allow(missing_docs, reason = "named as in the specification")]
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const BOTH: u32 = 3;
    pub const MMAP: u32 = 4;
    pub const FILE_IO: u32 = 8;
    pub const UNMAP_DIRTY: u32 = 1;
    pub const UNMAP_ALL: u32 = 2;
}

/// Flags of a device feature: its number, and the operation.
pub mod feature {
    #![allow(missing_docs, reason = "named as in the specification")]
    pub const START: u32 = 6;
    pub const STOP: u32 = 7;
    pub const REPORT: u32 = 8;

    pub const GET: u32 = 0x1_0000;
    pub const SET: u32 = 0x2_0000;
    pub const PROBE: u32 = 0x4_0000;
}

/// Returns a whole message.
///
/// # Panics
///
/// If it has no 32-bit size.
pub fn message(id: u16, command: u16, flags: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(HEADER + payload.len()).expect("messages are small");
    [header(id, command, size, flags), payload.to_vec()].concat()
}

/// Returns a header with these values.
pub fn header(id: u16, command: u16, size: u32, flags: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend(id.to_le_bytes());
    bytes.extend(command.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes
}

/// Returns 32-bit fields in sequence.
pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Returns 64-bit fields in sequence.
pub fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

/// Payload of a version 0.`minor` with capabilities, NUL included.
pub fn version(minor: u16, json: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(minor.to_le_bytes());
    bytes.extend(json.as_bytes());
    bytes.push(0);
    bytes
}

/// Payload of an access to a region, without data.
pub fn access(region: u32, offset: u64, count: u32) -> Vec<u8> {
    [offset.to_le_bytes().to_vec(), words(&[region, count])].concat()
}

/// Payload of a write to a region.
///
/// # Panics
///
/// If the data has no 32-bit size.
pub fn write(region: u32, offset: u64, data: &[u8]) -> Vec<u8> {
    let count = u32::try_from(data.len()).expect("data is small");
    [access(region, offset, count), data.to_vec()].concat()
}

/// Payload of several writes to regions, of up to 8 bytes each.
///
/// # Panics
///
/// If one of them is larger.
pub fn write_multi(writes: &[(u32, u64, &[u8])]) -> Vec<u8> {
    let mut bytes = (writes.len() as u64).to_le_bytes().to_vec();
    for (region, offset, data) in writes {
        bytes.extend(write(*region, *offset, data));
        bytes.resize(bytes.len() + 8 - data.len(), 0);
    }
    bytes
}

/// Payload of a DMA map.
pub fn dma_map(flags: u32, file_offset: u64, iova: u64, size: u64) -> Vec<u8> {
    let mut bytes = words(&[32, flags]);
    for field in [file_offset, iova, size] {
        bytes.extend(field.to_le_bytes());
    }
    bytes
}

/// Payload of a DMA unmap.
pub fn dma_unmap(flags: u32, iova: u64, size: u64) -> Vec<u8> {
    let mut bytes = words(&[24, flags]);
    bytes.extend(iova.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes
}

/// Payload of an access to the client's memory, with the data of a write.
pub fn dma_access(iova: u64, count: u64, data: &[u8]) -> Vec<u8> {
    [&iova.to_le_bytes()[..], &count.to_le_bytes(), data].concat()
}

/// Payload of a `SET_IRQS`, without data.
pub fn set_irqs(flags: u32, index: u32, start: u32, count: u32) -> Vec<u8> {
    words(&[20, flags, index, start, count])
}

/// Payload of a `GET_REGION_INFO`.
pub fn region_info(argsz: u32, index: u32) -> Vec<u8> {
    [words(&[argsz, 0, index, 0]), vec![0; 16]].concat()
}

/// A little-endian number of up to 8 bytes.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The `u32` at an offset.
///
/// # Panics
///
/// If it is not inside the bytes.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The `u64` at an offset.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    number(&bytes[at..at + 8])
}
