//! Frames with a checksum each, changed and sealed again.

use arbitrary::Arbitrary;

use crate::numbers::Number;

/// A change of one frame.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) struct Edit {
    frame: u8,
    at: u16,
    change: Change,
}

#[derive(Arbitrary, Clone, Debug)]
enum Change {
    Byte(u8),
    Flip(u8),
    /// Writes a number of this many bytes, up to 8.
    Number(Number, u8),
    Insert(Vec<u8>),
    Remove(u8),
    /// Repeats a part of the frame.
    Repeat(u8),
    DropFrame,
    RepeatFrame,
    Swap(u8),
}

/// The most bytes that frames grow to.
const LONGEST: usize = 1 << 16;

/// Applies changes to the contents of frames.
pub(crate) fn apply(frames: &mut Vec<Vec<u8>>, edits: &[Edit]) {
    for edit in edits {
        if frames.is_empty() {
            return;
        }
        let number = usize::from(edit.frame) % frames.len();
        match &edit.change {
            Change::DropFrame => drop(frames.remove(number)),
            Change::RepeatFrame if frames.len() < 64 => {
                frames.insert(number, frames[number].clone());
            }
            Change::RepeatFrame => {}
            Change::Swap(other) => {
                let other = usize::from(*other) % frames.len();
                frames.swap(number, other);
            }
            change => edit_frame(&mut frames[number], usize::from(edit.at), change),
        }
    }
}

fn edit_frame(frame: &mut Vec<u8>, at: usize, change: &Change) {
    if frame.is_empty() || frame.len() > LONGEST {
        return;
    }
    let at = at % frame.len();
    let end = |len: u8| (at + usize::from(len)).min(frame.len());
    match change {
        Change::Byte(byte) => frame[at] = *byte,
        Change::Flip(bit) => frame[at] ^= 1 << (bit % 8),
        Change::Number(number, len) => {
            let end = end(len % 9);
            frame[at..end].copy_from_slice(&number.0.to_le_bytes()[..end - at]);
        }
        Change::Insert(bytes) => drop(frame.splice(at..at, bytes.iter().copied())),
        Change::Remove(len) => drop(frame.drain(at..end(*len))),
        Change::Repeat(len) => {
            let part = frame[at..end(*len)].to_vec();
            drop(frame.splice(at..at, part));
        }
        Change::DropFrame | Change::RepeatFrame | Change::Swap(_) => {}
    }
}

/// Returns a checksum of frames as bytes.
pub(crate) fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).to_le_bytes()
}
