//! Finds the messages in a stream, without changing it.

use std::ops::Range;

use vfio_user::protocol::{DRAIN_LIMIT, HEADER_SIZE};

/// A part of a receive: a message, or what has arrived of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Range<usize>,
    /// Whether these are the first bytes of the message.
    pub(crate) starts: bool,
    pub(crate) end: End,
}

/// How a piece ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More of the message is to come.
    Partial,
    /// The message is complete.
    Whole,
    /// The header has this size, with which the next message cannot be found. All later bytes are
    /// [`Unframed`](End::Unframed).
    Broken(u32),
    /// Bytes after a broken header.
    Unframed,
}

/// Cuts a stream into messages, by the sizes in their headers.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    header: [u8; HEADER_SIZE],
    /// The bytes of the current message that have arrived.
    arrived: usize,
    is_broken: bool,
}

impl Framer {
    /// Adds the pieces in `bytes`, a part of a buffer that starts at `at`.
    pub(crate) fn cut(&mut self, bytes: &[u8], at: usize, pieces: &mut Vec<Piece>) {
        let mut start = 0;
        while start < bytes.len() {
            let starts = self.arrived == 0 && !self.is_broken;
            let (taken, end) = self.take(&bytes[start..]);
            let new = Piece { bytes: at + start..at + start + taken, starts, end };
            match pieces.last_mut() {
                Some(last) if last.end == End::Partial && !starts => {
                    last.bytes.end = new.bytes.end;
                    last.end = end;
                }
                _ => pieces.push(new),
            }
            start += taken;
        }
    }

    /// Returns the number of bytes that the current message is known to lack.
    pub(crate) fn missing(&self) -> usize {
        match self.arrived {
            _ if self.is_broken => 0,
            0 => 0,
            arrived if arrived < HEADER_SIZE => HEADER_SIZE - arrived,
            arrived => self.size() - arrived,
        }
    }

    /// Takes bytes of the current message from the front, at least one.
    fn take(&mut self, bytes: &[u8]) -> (usize, End) {
        if self.is_broken {
            return (bytes.len(), End::Unframed);
        }
        let of_header = bytes.len().min(HEADER_SIZE.saturating_sub(self.arrived));
        let (start, end) = (self.arrived, self.arrived + of_header);
        if of_header > 0 {
            self.header[start..end].copy_from_slice(&bytes[..of_header]);
            self.arrived = end;
        }
        if self.arrived < HEADER_SIZE {
            return (of_header, End::Partial);
        }
        let size = self.size();
        if !(HEADER_SIZE..=DRAIN_LIMIT).contains(&size) {
            self.is_broken = true;
            return (of_header, End::Broken(u32::from_le_bytes(self.size_bytes())));
        }
        let of_payload = (bytes.len() - of_header).min(size - self.arrived);
        self.arrived += of_payload;
        if self.arrived < size {
            return (of_header + of_payload, End::Partial);
        }
        self.arrived = 0;
        (of_header + of_payload, End::Whole)
    }

    fn size(&self) -> usize {
        u32::from_le_bytes(self.size_bytes()) as usize
    }

    fn size_bytes(&self) -> [u8; 4] {
        [self.header[4], self.header[5], self.header[6], self.header[7]]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(size: usize) -> Vec<u8> {
        let mut bytes = vec![7; size];
        bytes[4..8].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        bytes
    }

    proptest! {
        /// Whatever the receives are, the messages are the same, and every byte is in one piece.
        #[test]
        fn every_split_has_the_same_messages(
            sizes in prop::collection::vec(16_usize..80, 1..8),
            receives in prop::collection::vec(1_usize..40, 1..40),
        ) {
            let stream: Vec<u8> = sizes.iter().flat_map(|size| message(*size)).collect();
            let (mut framer, mut found, mut arriving) = (Framer::default(), Vec::new(), 0);
            let mut rest = &stream[..];
            for receive in receives.into_iter().cycle() {
                let (bytes, after) = rest.split_at(receive.min(rest.len()));
                let mut pieces = Vec::new();
                framer.cut(bytes, 0, &mut pieces);
                prop_assert_eq!(pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>(), bytes.len());
                for piece in pieces {
                    prop_assert_eq!(piece.starts, arriving == 0);
                    arriving += piece.bytes.len();
                    if piece.end == End::Whole {
                        found.push(std::mem::take(&mut arriving));
                    }
                }
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, sizes);
        }
    }

    #[test]
    fn a_size_that_is_none_ends_the_messages() {
        for size in [0_u32, 15, u32::MAX] {
            let mut bytes = message(20);
            let mut broken = message(16);
            broken[4..8].copy_from_slice(&size.to_le_bytes());
            bytes.extend(broken);
            bytes.extend([1, 2, 3]);
            let mut pieces = Vec::new();
            Framer::default().cut(&bytes, 100, &mut pieces);
            assert_eq!(
                pieces,
                [
                    Piece { bytes: 100..120, starts: true, end: End::Whole },
                    Piece { bytes: 120..136, starts: true, end: End::Broken(size) },
                    Piece { bytes: 136..139, starts: false, end: End::Unframed },
                ]
            );
        }
    }

    #[test]
    fn what_a_message_lacks_is_known() {
        let (mut framer, bytes) = (Framer::default(), message(40));
        let mut pieces = Vec::new();
        framer.cut(&bytes[..10], 0, &mut pieces);
        assert_eq!(framer.missing(), 6);
        framer.cut(&bytes[10..16], 10, &mut pieces);
        assert_eq!(framer.missing(), 24);
        framer.cut(&bytes[16..], 16, &mut pieces);
        assert_eq!(framer.missing(), 0);
        assert_eq!(pieces, [Piece { bytes: 0..40, starts: true, end: End::Whole }]);
    }
}
