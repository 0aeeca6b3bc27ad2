//! The sizes and alignments of accesses that a BAR accepts.

use super::Refusal;
use crate::model::{Bar, Unaligned};

/// An access of a processor's size, or a part of a longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

/// A BAR that mirrors another one.
#[derive(Clone, Copy)]
pub(crate) struct Mirror<'a> {
    pub(crate) bar_index: usize,
    pub(crate) bar: &'a Bar,
}

/// Returns whether a processor can make accesses of this size.
pub(crate) const fn is_bus_size(len: usize) -> bool {
    matches!(len, 1 | 2 | 4 | 8)
}

/// Returns the pieces of an access. An access of a processor's size is one piece, at any alignment.
/// Any other length, which only a message can have, is split into aligned accesses of the largest
/// size that the BAR accepts there.
pub(crate) fn pieces(bar: &Bar, offset: u64, len: usize) -> impl Iterator<Item = Piece> + use<'_> {
    let (mut offset, mut rest) = (offset, len);
    std::iter::from_fn(move || {
        let len = match rest {
            0 => return None,
            rest if rest == len && is_bus_size(len) => len,
            rest => largest(bar, offset, rest),
        };
        let piece = Piece { offset, len };
        offset += len as u64;
        rest -= len;
        Some(piece)
    })
}

fn largest(bar: &Bar, offset: u64, rest: usize) -> usize {
    let most = usize::from(bar.sizes_at(offset).largest()).min(rest);
    let aligned = 1 << offset.trailing_zeros().min(3);
    [8, 4, 2].into_iter().find(|size| *size <= most.min(aligned)).unwrap_or(1)
}

/// Returns the reason why a BAR ignores a piece, if it does.
pub(crate) fn refusal(bar: &Bar, piece: Piece) -> Option<Refusal> {
    if !bar.sizes_at(piece.offset).contains(piece.len) {
        return Some(Refusal::Size);
    }
    let is_aligned = piece.offset.is_multiple_of(piece.len as u64);
    (bar.unaligned() == Unaligned::Ignore && !is_aligned).then_some(Refusal::Unaligned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::BarKind;
    use crate::model::{Sizes, SizesIn};

    const RANGES: &[SizesIn] =
        &[SizesIn::new(0, 0x80, Sizes::new(4, 4)), SizesIn::new(0x80, 0x100, Sizes::new(4, 8))];
    const BAR: Bar = Bar::new(BarKind::Mem32, 0x1000).with_sizes_in(RANGES);

    fn lens(offset: u64, len: usize) -> Vec<usize> {
        pieces(&BAR, offset, len).map(|piece| piece.len).collect()
    }

    #[test]
    fn a_processors_access_is_one_piece() {
        for len in [1, 2, 4, 8] {
            assert_eq!(lens(3, len), [len]);
        }
    }

    #[test]
    fn a_long_message_is_many_accesses_that_the_bar_accepts() {
        assert_eq!(lens(0x78, 0x18), [4, 4, 8, 8]);
        assert_eq!(lens(0x102, 7), [2, 4, 1]);
        assert!(lens(0x100, 0).is_empty());
    }

    #[test]
    fn each_range_has_its_sizes() {
        let refused = |offset, len| refusal(&BAR, Piece { offset, len });
        assert_eq!(refused(0x7c, 4), None);
        assert_eq!(refused(0x78, 8), Some(Refusal::Size));
        assert_eq!(refused(0x80, 8), None);
        assert_eq!(refused(0x80, 2), Some(Refusal::Size));
        assert_eq!(refused(0x100, 1), None);
    }

    #[test]
    fn unaligned_accesses_are_split_unless_ignored() {
        let odd = Piece { offset: 0x102, len: 4 };
        assert_eq!(refusal(&BAR, odd), None);
        let bar = BAR.with_unaligned(Unaligned::Ignore);
        assert_eq!(refusal(&bar, odd), Some(Refusal::Unaligned));
        assert_eq!(refusal(&bar, Piece { offset: 0x104, len: 4 }), None);
    }
}
