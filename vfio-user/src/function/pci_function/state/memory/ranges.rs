//! Sets of offsets, as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges that neither touch nor overlap: a map from the start of each to its end.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range, and joins it with those that it touches.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        while let Some((&first, &last)) = self.0.range(..=end).next_back() {
            if last < start {
                break;
            }
            (start, end) = (start.min(first), end.max(last));
            self.0.remove(&first);
        }
        self.0.insert(start, end);
    }

    /// Removes a range.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        while let Some((&first, &last)) = self.0.range(..range.end).next_back() {
            if last <= range.start {
                break;
            }
            self.0.remove(&first);
            for rest in [first..range.start, range.end..last] {
                if !rest.is_empty() {
                    self.0.insert(rest.start, rest.end);
                }
            }
        }
    }

    /// Returns the parts of a range that are not in the set.
    pub(super) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let (mut gaps, mut at) = (Vec::new(), range.start);
        let before = self.0.range(..=range.start).next_back();
        let inside =
            self.0.range(range.start..range.end).skip_while(|(start, _)| **start == range.start);
        for (&start, &end) in before.into_iter().chain(inside) {
            if at < start {
                gaps.push(at..start);
            }
            at = at.max(end);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.iter().next()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().map(|(start, end)| *start..*end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_holds_what_was_added_and_not_removed(
            steps in prop::collection::vec((any::<bool>(), 0_u64..64, 0_u64..20), 0..40),
            asked in (0_u64..64, 0_u64..30),
        ) {
            let (mut ranges, mut model) = (Ranges::default(), [false; 100]);
            for (adds, start, len) in steps {
                let range = start..start + len;
                if adds { ranges.add(range.clone()) } else { ranges.remove(range.clone()) }
                range.for_each(|at| model[usize::try_from(at).unwrap()] = adds);
            }
            let is_in = |at: u64| model[usize::try_from(at).unwrap()];
            let held: Vec<_> = ranges.iter().flatten().collect();
            prop_assert_eq!(held, (0..100).filter(|at| is_in(*at)).collect::<Vec<_>>());
            let all: Vec<_> = ranges.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start));
            let (start, len) = asked;
            let gaps: Vec<_> = ranges.gaps(start..start + len).into_iter().flatten().collect();
            let expected: Vec<_> = (start..start + len).filter(|at| !is_in(*at)).collect();
            prop_assert_eq!(gaps, expected);
        }
    }
}
