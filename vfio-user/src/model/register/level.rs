//! The blocks around a block.

pub(crate) use crate::layout::MAX_LEVELS;

/// A block around another one: its properties that concern what lies in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) name: &'static str,
    pub(super) old_names: &'static [&'static str],
    /// The number of its elements in each element of the block around it.
    pub(super) count: u32,
    /// The distance between its elements; 0 if they share bytes.
    pub(super) stride: u64,
    pub(super) is_selected: bool,
    pub(super) vector_stride: u16,
    pub(super) grown_from: &'static [u32],
}

/// All blocks around a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// The outermost first.
    all: [Level; MAX_LEVELS],
    /// Their number, which is larger than the length of the array if there are too many: a check
    /// reports these.
    depth: usize,
}

impl Level {
    const NONE: Level = Level {
        name: "",
        old_names: &[],
        count: 1,
        stride: 0,
        is_selected: false,
        vector_stride: 0,
        grown_from: &[],
    };
}

impl Levels {
    pub(super) const NONE: Levels = Levels { all: [Level::NONE; MAX_LEVELS], depth: 0 };

    /// Returns the number of blocks around the block.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// Adds a block around all of them.
    pub(super) const fn inside(mut self, level: Level) -> Self {
        let mut to = MAX_LEVELS;
        while to > 1 {
            to -= 1;
            self.all[to] = self.all[to - 1];
        }
        self.all[0] = level;
        self.depth += 1;
        self
    }

    /// Sets the number of elements of the outermost block.
    pub(super) const fn with_outer_count(mut self, count: u32) -> Self {
        self.all[0].count = count;
        self
    }

    pub(super) fn outermost(&self) -> Option<&Level> {
        self.iter().next()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Level> + ExactSizeIterator {
        self.all[..self.depth.min(MAX_LEVELS)].iter()
    }

    /// Returns the number of elements of the innermost of these blocks.
    pub(super) const fn count(&self) -> u32 {
        let (mut count, mut level) = (1_u32, 0);
        while level < self.depth && level < MAX_LEVELS {
            count = count.saturating_mul(self.all[level].count);
            level += 1;
        }
        count
    }

    /// Returns the distance of an element of the innermost of these blocks from the first one, and
    /// the difference of their interrupt numbers.
    pub(super) const fn distance(&self, element: usize) -> (u64, u64) {
        let (mut rest, mut bytes, mut vectors) = (element, 0, 0_u64);
        let mut level = if self.depth < MAX_LEVELS { self.depth } else { MAX_LEVELS };
        while level > 0 {
            level -= 1;
            let Level { count, stride, vector_stride, .. } = self.all[level];
            let index = (rest % count as usize) as u64;
            rest /= count as usize;
            bytes += index * stride;
            vectors = vectors.saturating_add(index.saturating_mul(vector_stride as u64));
        }
        (bytes, vectors)
    }
}
