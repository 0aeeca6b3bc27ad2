//! Shared memory as a stream describes it.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use serde::Serialize;
use vfio_user::migration::{Content, Memory};

use crate::hex::Hex;

/// The size of a page in bytes.
pub(super) const PAGE: u64 = 4096;

/// A range of a BAR.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Run {
    bar: u8,
    start: Hex,
    end: Hex,
}

impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "BAR {} {}..{}", self.bar, self.start, self.end)
    }
}

/// The pages with nonzero bytes, by BAR and offset. Later parts of a stream overwrite earlier ones.
#[derive(Debug, Default)]
pub(super) struct Image {
    pages: BTreeMap<(u8, u64), Box<[u8]>>,
}

impl Image {
    pub(super) fn add(&mut self, part: &Memory<'_>) {
        let Memory { bar, offset, content } = *part;
        match content {
            Content::Bytes(bytes) => self.write(bar, offset, bytes),
            Content::Zeros(len) => self.clear(bar, offset..offset.saturating_add(len)),
        }
    }

    fn write(&mut self, bar: u8, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (page, start) = (offset - offset % PAGE, to_usize(offset % PAGE));
            let len = bytes.len().min(to_usize(PAGE) - start);
            let (now, rest) = bytes.split_at(len);
            let empty = || vec![0; to_usize(PAGE)].into();
            self.pages.entry((bar, page)).or_insert_with(empty)[start..start + len]
                .copy_from_slice(now);
            (offset, bytes) = (offset + len as u64, rest);
        }
    }

    /// A run of zeros may be far longer than the stored pages. Drops each stored page inside the
    /// run once, and clears parts of those at its ends.
    fn clear(&mut self, bar: u8, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = range.start - range.start % PAGE;
        let pages: Vec<u64> =
            self.pages.range((bar, first)..(bar, range.end)).map(|((_, page), _)| *page).collect();
        for page in pages {
            let start = range.start.saturating_sub(page).min(PAGE);
            let end = (range.end - page).min(PAGE);
            if start == 0 && end == PAGE {
                self.pages.remove(&(bar, page));
            } else if let Some(bytes) = self.pages.get_mut(&(bar, page)) {
                bytes[to_usize(start)..to_usize(end)].fill(0);
            }
        }
    }

    /// Drops pages of zeros after the whole stream has been read.
    pub(super) fn settle(&mut self) {
        self.pages.retain(|_, bytes| bytes.iter().any(|byte| *byte != 0));
    }

    /// Returns the runs of nonzero pages of each BAR.
    pub(super) fn runs(&self) -> Vec<Run> {
        runs(self.pages.keys().copied())
    }

    /// Returns the runs of pages that differ.
    pub(super) fn differences(&self, other: &Image) -> Vec<Run> {
        let one = self.pages.iter().filter(|(at, bytes)| other.pages.get(at) != Some(bytes));
        let added = other.pages.keys().filter(|at| !self.pages.contains_key(at));
        let mut pages: Vec<_> = one.map(|(at, _)| *at).chain(added.copied()).collect();
        pages.sort_unstable();
        runs(pages.into_iter())
    }
}

fn runs(pages: impl Iterator<Item = (u8, u64)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (bar, page) in pages {
        let end = Hex(page.saturating_add(PAGE));
        match runs.last_mut() {
            Some(last) if last.bar == bar && last.end == Hex(page) => last.end = end,
            _ => runs.push(Run { bar, start: Hex(page), end }),
        }
    }
    runs
}

/// Converts a number of bytes no larger than a page.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(parts: &[(u64, Content<'_>)]) -> Image {
        let mut image = Image::default();
        for (offset, content) in parts {
            image.add(&Memory { bar: 2, offset: *offset, content: *content });
        }
        image.settle();
        image
    }

    fn run(range: Range<u64>) -> Run {
        Run { bar: 2, start: Hex(range.start), end: Hex(range.end) }
    }

    #[test]
    fn later_parts_win() {
        let written =
            image(&[(PAGE - 2, Content::Bytes(&[1, 2, 3])), (PAGE * 5, Content::Bytes(&[9]))]);
        assert_eq!(written.runs(), [run(0..PAGE * 2), run(PAGE * 5..PAGE * 6)]);
        let cleared = image(&[
            (PAGE - 2, Content::Bytes(&[1, 2, 3])),
            (PAGE, Content::Zeros(u64::MAX - PAGE)),
        ]);
        assert_eq!(cleared.runs(), [run(0..PAGE)]);
        assert_eq!(written.differences(&cleared), [run(PAGE..PAGE * 2), run(PAGE * 5..PAGE * 6)]);
        assert_eq!(cleared.differences(&written), written.differences(&cleared));
        assert!(image(&[(0, Content::Bytes(&[0; 9])), (0, Content::Zeros(1))]).runs().is_empty());
    }
}
