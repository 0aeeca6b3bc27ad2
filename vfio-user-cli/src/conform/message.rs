//! Bytes of messages, right and wrong ones.

use vfio_user::protocol::RegionIndex;

use super::check::{Stop, Verdict};

pub(super) const HEADER: usize = 16;

/// Flags of a header: the type, and the bits above it.
pub(super) mod flag {
    pub(in super::super) const TYPE: u32 = 0xf;
    pub(in super::super) const REPLY: u32 = 1;
    pub(in super::super) const NO_REPLY: u32 = 0x10;
    pub(in super::super) const ERROR: u32 = 0x20;
}

/// Returns a header with these values.
pub(super) fn header(id: u16, command: u16, size: u32, flags: u32) -> Vec<u8> {
    let mut bytes = [id.to_le_bytes(), command.to_le_bytes()].concat();
    bytes.extend(words(&[size, flags, 0]));
    bytes
}

/// Returns a whole message.
pub(super) fn message(id: u16, command: u16, flags: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
    [&header(id, command, size, flags), payload].concat()
}

/// Returns 32-bit fields in sequence.
pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Returns 64-bit fields in sequence.
pub(super) fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

/// Returns the payload of a `VERSION` 0.`minor` with a text, NUL included.
pub(super) fn version(minor: u16, json: &str) -> Vec<u8> {
    [&[0, 0], &minor.to_le_bytes()[..], json.as_bytes(), &[0]].concat()
}

/// Returns the payload of an access to a region, without data.
pub(super) fn access(region: u32, offset: u64, count: u32) -> Vec<u8> {
    [longs(&[offset]), words(&[region, count])].concat()
}

/// Returns the payload of an access to configuration space, without data.
pub(super) fn config(offset: usize, count: u32) -> Vec<u8> {
    access(RegionIndex::Config.into(), offset as u64, count)
}

/// Returns the payload of a `DMA_MAP`.
pub(super) fn dma_map(flags: u32, offset: u64, iova: u64, size: u64) -> Vec<u8> {
    [words(&[32, flags]), longs(&[offset, iova, size])].concat()
}

/// Returns the payload of a `DMA_UNMAP`.
pub(super) fn dma_unmap(flags: u32, iova: u64, size: u64) -> Vec<u8> {
    [words(&[24, flags]), longs(&[iova, size])].concat()
}

/// Returns the payload of a `DEVICE_SET_IRQS` without data.
pub(super) fn set_irqs(flags: u32, index: u32, start: u32, count: u32) -> Vec<u8> {
    words(&[20, flags, index, start, count])
}

/// Returns the payload of a `DEVICE_GET_REGION_INFO`.
pub(super) fn region_info(argsz: u32, index: u32) -> Vec<u8> {
    [words(&[argsz, 0, index, 0]), vec![0; 16]].concat()
}

/// Returns the 32-bit field of a reply's payload at an offset.
pub(super) fn u32_at(payload: &[u8], at: usize) -> Verdict<u32> {
    let field = payload.get(at..).and_then(|rest| rest.first_chunk());
    field.map(|field| u32::from_le_bytes(*field)).ok_or_else(|| short(payload, at + 4))
}

/// Returns the 64-bit field of a reply's payload at an offset.
pub(super) fn u64_at(payload: &[u8], at: usize) -> Verdict<u64> {
    let field = payload.get(at..).and_then(|rest| rest.first_chunk());
    field.map(|field| u64::from_le_bytes(*field)).ok_or_else(|| short(payload, at + 8))
}

fn short(payload: &[u8], needed: usize) -> Stop {
    let len = payload.len();
    Stop::Failed(format!("the reply has {len} bytes of payload, expected at least {needed}"))
}
