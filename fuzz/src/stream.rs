//! Streams of migration, divided into frames and put together with right checksums.

use vfio_user_tests::wire;

use crate::sealed::checksum;

/// Bytes of the magic number.
const MAGIC: usize = 8;
/// Bytes before the payload of a frame: its kind and length.
const HEAD: usize = 5;
/// The kind of the last frame, which counts and covers all others.
const END: u8 = 4;

/// Returns the frames of a stream without lengths and checksums: the kind and the payload.
pub(crate) fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &stream[MAGIC..];
    let mut frames = Vec::new();
    while rest.len() > HEAD {
        let len = wire::u32_at(rest, 1) as usize;
        frames.push([&rest[..1], &rest[HEAD..HEAD + len]].concat());
        rest = &rest[HEAD + len + 4..];
    }
    frames
}

/// Puts frames together. The numbers in the last one are those of the frames, if it is where it
/// belongs.
pub(crate) fn seal(stream: &[u8], frames: &[Vec<u8>]) -> Vec<u8> {
    let mut sealed = stream[..MAGIC].to_vec();
    for (number, frame) in frames.iter().enumerate() {
        let Some((kind, payload)) = frame.split_first() else { continue };
        let is_end = *kind == END && number + 1 == frames.len();
        let end = [&(number as u64).to_le_bytes()[..], &checksum(&sealed)].concat();
        let payload = if is_end { &end } else { payload };
        let start = sealed.len();
        sealed.push(*kind);
        sealed.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        sealed.extend(payload);
        let crc = checksum(&sealed[start..]);
        sealed.extend(crc);
    }
    sealed
}
