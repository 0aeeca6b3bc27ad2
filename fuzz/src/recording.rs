//! Recordings, divided into frames and put together with right checksums.

use std::fs;
use std::path::Path;

use vfio_user_tests::{recording, wire};

use crate::active::Active;
use crate::sealed::checksum;

/// Bytes before the first frame: the magic number and the format.
const HEAD: usize = 10;

/// Records a device that reaches memory and uses its timer, and returns the bytes of the file.
pub(crate) fn of_active(path: &Path) -> Vec<u8> {
    recording::record(Active::default(), path, |function| {
        let bar = function.bar(0).expect("a BAR");
        let vectors = function.enable_msix(8).expect("vectors");
        let memory = function.allocate(0x1000).expect("memory");
        let low = |iova: u64| u32::try_from(iova).expect("a low address");
        let words = [
            (0x00, low(memory.iova())),
            (0x08, low(memory.iova()) + 0x800),
            (0x3c, 0xff),
            (0x10, 64),
            (0x2c, 10),
            (0x20, 1),
            (0x30, 5),
        ];
        for (offset, value) in words {
            bar.write(offset, value).expect("a register");
        }
        bar.read::<u32>(0x34).expect("a register");
        drop(vectors);
        function.reset().expect("a reset");
    });
    fs::read(path).expect("the recording")
}

/// Returns the payloads of the frames.
pub(crate) fn frames(recording: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &recording[HEAD..];
    let mut frames = Vec::new();
    while rest.len() >= 8 {
        let len = wire::u32_at(rest, 0) as usize;
        frames.push(rest[4..4 + len].to_vec());
        rest = &rest[len + 8..];
    }
    frames
}

/// Puts frames together.
pub(crate) fn seal(recording: &[u8], frames: &[Vec<u8>]) -> Vec<u8> {
    let mut sealed = recording[..HEAD].to_vec();
    for frame in frames {
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let bytes = [&len.to_le_bytes()[..], frame].concat();
        sealed.extend(&bytes);
        sealed.extend(checksum(&bytes));
    }
    sealed
}
