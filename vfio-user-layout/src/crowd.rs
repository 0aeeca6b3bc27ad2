//! Finds the parts of a layout that overlap, in one walk in the order of their offsets. Comparing
//! each part with each other one would take minutes in constant evaluation.

use super::Extent;

/// The bytes from the start of an extent to its end, including the gaps between its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    bar: u8,
    start: u64,
    end: u64,
    /// Index in the declaration.
    index: usize,
}

impl Reach {
    /// An empty reach.
    pub const EMPTY: Self = Reach { bar: 0, start: 0, end: 0, index: 0 };

    /// Returns the reach of `extent` in `bar`.
    pub const fn new(bar: u8, extent: &Extent<'_>, index: usize) -> Self {
        let end = match extent.end() {
            Some(end) => end,
            None => u64::MAX,
        };
        Reach { bar, start: extent.offset, end, index }
    }

    const fn is_before(&self, other: &Self) -> bool {
        self.bar < other.bar || (self.bar == other.bar && self.start < other.start)
    }
}

/// Marks the reaches that share a byte with another one. Sorts `reaches` meanwhile; `crowded` has
/// an element for each index.
pub const fn mark_crowded(reaches: &mut [Reach], crowded: &mut [bool]) {
    sort(reaches);
    let (mut at, mut furthest) = (1, 0);
    while at < reaches.len() {
        let (one, other) = (reaches[furthest], reaches[at]);
        let apart = one.bar != other.bar || one.end <= other.start;
        if !apart {
            crowded[one.index] = true;
            crowded[other.index] = true;
        }
        if apart || other.end > one.end {
            furthest = at;
        }
        at += 1;
    }
}

/// Heap sort: in place, and never quadratic.
const fn sort(reaches: &mut [Reach]) {
    if is_sorted(reaches) {
        return;
    }
    let mut root = reaches.len() / 2;
    while root > 0 {
        root -= 1;
        sift_down(reaches, root, reaches.len());
    }
    let mut end = reaches.len();
    while end > 1 {
        end -= 1;
        reaches.swap(0, end);
        sift_down(reaches, 0, end);
    }
}

const fn is_sorted(reaches: &[Reach]) -> bool {
    let mut at = 1;
    while at < reaches.len() {
        if reaches[at].is_before(&reaches[at - 1]) {
            return false;
        }
        at += 1;
    }
    true
}

/// Moves the element at `root` down the heap that ends at `end`, to its position.
const fn sift_down(reaches: &mut [Reach], root: usize, end: usize) {
    let mut root = root;
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && reaches[child].is_before(&reaches[child + 1]) {
            child += 1;
        }
        if !reaches[root].is_before(&reaches[child]) {
            return;
        }
        reaches.swap(root, child);
        root = child;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn crowded_of(extents: &[(u8, Extent<'_>)]) -> Vec<bool> {
        let reach = |(index, (bar, extent)): (usize, &(u8, _))| Reach::new(*bar, extent, index);
        let mut reaches: Vec<_> = extents.iter().enumerate().map(reach).collect();
        let mut crowded = vec![false; extents.len()];
        mark_crowded(&mut reaches, &mut crowded);
        crowded
    }

    proptest! {
        #[test]
        fn those_that_overlap_another_one_are_marked(
            places in prop::collection::vec((0..3u8, 0..400u64, 1..9u64), 0..60),
        ) {
            let extents: Vec<_> =
                places.iter().map(|(bar, at, len)| (*bar, Extent::single("", *at, *len))).collect();
            let overlaps = |one: usize, other: usize| {
                let ((bar, one), (other_bar, other)) = (&extents[one], &extents[other]);
                bar == other_bar && super::super::disjoint(one, other).is_err()
            };
            let all = 0..extents.len();
            let expected: Vec<_> = all
                .clone()
                .map(|one| all.clone().any(|other| one != other && overlaps(one, other)))
                .collect();
            prop_assert_eq!(crowded_of(&extents), expected);
        }
    }

    #[test]
    fn what_has_no_end_reaches_to_the_last_byte() {
        let endless = Extent { count: 2, stride: u64::MAX, ..Extent::single("", 8, 4) };
        let extents = [(0, endless), (0, Extent::single("", 0, 8)), (0, Extent::single("", 99, 1))];
        assert_eq!(crowded_of(&extents), [true, false, true]);
    }
}
