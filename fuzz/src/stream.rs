//! Streams of migration, divided into frames and put together with right checksums.

use vfio_user_tests::wire;

use crate::sealed::checksum;

/// Bytes of the magic number.
const MAGIC: usize = 8;
/// Bytes before the payload of a frame: its kind and length.
const HEAD: usize = 5;
/// The kind of a frame with memory: the kind, a BAR, an offset, and what follows.
const MEMORY: u8 = 2;
/// Bytes of such a frame before its contents, the last of which is `ZEROS` before a length.
const MEMORY_HEAD: usize = 11;
const ZEROS: u8 = 1;
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

/// Returns the frames of a stream but the last. Runs of zeros are joined: where a device divides
/// them depends on which pages its files have.
pub(crate) fn contents(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    for frame in frames(stream) {
        match joined.last_mut().zip(run_of_zeros(&frame)) {
            Some((last, (start, len))) if follows(last, &frame, start) => {
                let (_, before) = run_of_zeros(last).unwrap_or_default();
                last.splice(MEMORY_HEAD.., (before + len).to_le_bytes());
            }
            _ if frame[0] == END => {}
            _ => joined.push(frame),
        }
    }
    joined
}

/// Returns whether a run of zeros of the same BAR ends at `start`.
fn follows(last: &[u8], frame: &[u8], start: u64) -> bool {
    let ends = run_of_zeros(last).map(|(first, len)| first + len);
    last[..2] == frame[..2] && ends == Some(start)
}

/// Returns the offset and the length, if a frame is a run of zeros.
fn run_of_zeros(frame: &[u8]) -> Option<(u64, u64)> {
    let is_run = frame[0] == MEMORY && frame.get(MEMORY_HEAD - 1) == Some(&ZEROS);
    is_run.then(|| (wire::u64_at(frame, 2), wire::u64_at(frame, MEMORY_HEAD)))
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
