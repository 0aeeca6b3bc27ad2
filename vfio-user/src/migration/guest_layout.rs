//! The layout that a guest sees and that cannot change, as a stream carries it, so that a refusal
//! can name the differences.

mod compare;

pub(crate) use compare::differences;

use super::error::StreamError;

/// A doubleword of configuration space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) offset: u16,
    /// The bits that cannot change.
    pub(crate) fixed: u32,
    /// The bits that can change.
    pub(crate) can: u32,
}

/// The image of a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RomImage {
    pub(crate) size: u64,
    pub(crate) digest: u32,
}

/// The layout of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestLayout {
    /// The words in order, without those that are zero and cannot change.
    pub(crate) words: Vec<Word>,
    pub(crate) rom: Option<RomImage>,
}

/// Lengths in bytes of a word, and of the ROM in front of the words.
const WORD: usize = 10;
const ROM: usize = 12;
/// The most bytes of a layout.
pub(super) const MAX_LAYOUT: usize = 1024 * WORD + ROM;
pub(super) const MIN_LAYOUT: usize = ROM;

impl GuestLayout {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.words.len() * WORD + ROM);
        let RomImage { size, digest } = self.rom.unwrap_or(RomImage { size: 0, digest: 0 });
        bytes.extend(size.to_le_bytes());
        bytes.extend(digest.to_le_bytes());
        for Word { offset, fixed, can } in &self.words {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(fixed.to_le_bytes());
            bytes.extend(can.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], frame: u64) -> Result<Self, StreamError> {
        let malformed = |problem| StreamError::Malformed { frame, problem };
        let (rom, words) = bytes.split_at_checked(ROM).ok_or(malformed("the layout ends early"))?;
        if words.len() % WORD != 0 {
            return Err(malformed("the layout ends early"));
        }
        let size = le(&rom[..8]);
        let rom = (size > 0).then(|| RomImage { size, digest: low(le(&rom[8..])) });
        let word = |bytes: &[u8]| Word {
            offset: u16::from_le_bytes([bytes[0], bytes[1]]),
            fixed: low(le(&bytes[2..6])),
            can: low(le(&bytes[6..])),
        };
        let words: Vec<_> = words.chunks_exact(WORD).map(word).collect();
        let in_order = words.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        let are_words = words.iter().all(|word| word.offset % 4 == 0 && word.offset < 0x1000);
        if in_order && are_words {
            Ok(GuestLayout { words, rom })
        } else {
            Err(malformed("the layout is none of a configuration space"))
        }
    }

    fn word(&self, offset: u16) -> Word {
        let found = self.words.binary_search_by_key(&offset, |word| word.offset);
        found.map_or(Word { offset, ..Word::default() }, |place| self.words[place])
    }
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[expect(clippy::cast_possible_truncation, reason = "four bytes")]
fn low(value: u64) -> u32 {
    value as u32
}
