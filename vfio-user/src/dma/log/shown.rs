//! Pages that reports have shown behind the range that the client asked for.

use std::ops::RangeInclusive;

use super::Report;

/// The ranges that are remembered, before they become one.
const MAX_RANGES: usize = 1024;

/// Written pages that reports have shown behind their range, for a function whose reports fill the
/// last word of the bitmap, as those of libvfio-user do.
///
/// Their marks have been cleared, and a client may ignore what lies behind the range that it asked
/// for. So the next report of a range that contains them shows them again, and no page is lost.
#[derive(Debug, Default)]
pub struct ShownPages {
    /// The first and the last address of each range.
    ranges: Vec<(u64, u64)>,
}

impl ShownPages {
    /// Adds to the report of a range what earlier ones have shown of it, and remembers what it
    /// shows behind the range.
    pub(crate) fn complete(&mut self, asked: RangeInclusive<u64>, report: &mut Report) {
        let behind = report.pages_after(*asked.end());
        self.show(asked, report);
        self.ranges.extend(behind);
        self.limit();
    }

    /// Adds to the report of a range what earlier ones have shown of it.
    pub(crate) fn show(&mut self, asked: RangeInclusive<u64>, report: &mut Report) {
        let (first, last) = asked.into_inner();
        for (low, high) in std::mem::take(&mut self.ranges) {
            if high < first || last < low {
                self.ranges.push((low, high));
                continue;
            }
            report.mark(low.max(first), high.min(last));
            self.ranges.extend((low < first).then(|| (low, first - 1)));
            self.ranges.extend((last < high).then(|| (last + 1, high)));
        }
        self.limit();
    }

    /// Joins all ranges if there are too many: a page too many is only sent once more.
    fn limit(&mut self) {
        if self.ranges.len() > MAX_RANGES {
            let low = self.ranges.iter().map(|(low, _)| *low).min();
            let high = self.ranges.iter().map(|(_, high)| *high).max();
            self.ranges = low.zip(high).into_iter().collect();
        }
    }

    /// Forgets all of them, when a log starts.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PAGE: u64 = 0x1000;

    /// Reports 16 pages from `first` on, of which these are marked in the log.
    fn report(shown: &mut ShownPages, first: u64, marked: &[u64]) -> u64 {
        let start = first * PAGE;
        let mut report = Report::new(start, PAGE, 8);
        for page in marked {
            report.mark(page * PAGE, (page + 1) * PAGE - 1);
        }
        shown.complete(start..=start + 16 * PAGE - 1, &mut report);
        u64::from_le_bytes(report.bitmap().try_into().unwrap())
    }

    #[test]
    fn what_was_shown_behind_a_range_is_shown_again_in_a_report_of_it() {
        let mut shown = ShownPages::default();
        assert_eq!(report(&mut shown, 0x10, &[0x10, 0x27, 0x31]), 1 | 1 << 0x17 | 1 << 0x21);
        assert_eq!(report(&mut shown, 0x10, &[0x26]), 1 << 0x16);
        assert_eq!(report(&mut shown, 0x20, &[]), 1 << 6 | 1 << 7);
        assert_eq!(report(&mut shown, 0x20, &[]), 0);
        assert_eq!(report(&mut shown, 0x30, &[]), 1 << 1);
    }

    #[test]
    fn an_unmap_shows_what_was_shown_behind_a_range() {
        let mut shown = ShownPages::default();
        report(&mut shown, 0x10, &[0x22]);
        let mut unmapped = Report::new(0x20 * PAGE, PAGE, 8);
        shown.show(0x20 * PAGE..=0x30 * PAGE - 1, &mut unmapped);
        assert_eq!(unmapped.bitmap(), [4, 0, 0, 0, 0, 0, 0, 0]);
        assert!(shown.ranges.is_empty());
    }

    #[test]
    fn a_range_that_is_asked_for_in_part_keeps_the_rest() {
        let mut shown = ShownPages::default();
        report(&mut shown, 0x10, &(0x20..0x50).collect::<Vec<_>>());
        assert_eq!(report(&mut shown, 0x30, &[]), 0xffff);
        assert_eq!(report(&mut shown, 0x20, &[]), 0xffff);
        assert_eq!(report(&mut shown, 0x40, &[]), 0xffff);
        assert_eq!(report(&mut shown, 0x40, &[]), 0);
    }

    #[test]
    fn many_ranges_become_one_and_none_is_lost() {
        let mut shown = ShownPages::default();
        for index in 0..3000 {
            report(&mut shown, index * 0x40, &[index * 0x40 + 0x11]);
        }
        assert!(shown.ranges.len() <= MAX_RANGES);
        for index in (0..3000).rev() {
            let first = index * 0x40 + 0x10;
            assert_ne!(report(&mut shown, first, &[]) & 2, 0, "{index}");
        }
    }

    #[test]
    fn a_range_may_end_with_the_address_space() {
        let mut shown = ShownPages::default();
        let start = u64::MAX - (16 * PAGE - 1);
        let mut report = Report::new(start, PAGE, 8);
        report.mark(start, u64::MAX);
        shown.complete(start..=u64::MAX, &mut report);
        assert!(shown.ranges.is_empty());
    }
}
