//! The indices of an element of a block in blocks.

use crate::model::MAX_LEVELS;

/// The index of a block's element, behind those of the blocks around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indices {
    /// The outermost first.
    all: [usize; MAX_LEVELS + 1],
    len: usize,
}

impl Indices {
    /// Returns the index of a block that lies in no other one.
    #[inline]
    pub const fn of(index: usize) -> Self {
        let mut all = [0; MAX_LEVELS + 1];
        all[0] = index;
        Indices { all, len: 1 }
    }

    /// Adds the index of a block in this one. More than any declaration can have are left out.
    #[must_use]
    #[inline]
    pub const fn then(mut self, index: usize) -> Self {
        if self.len < self.all.len() {
            self.all[self.len] = index;
            self.len += 1;
        }
        self
    }

    /// Returns the first index.
    #[inline]
    pub const fn first(self) -> usize {
        self.all[0]
    }

    /// Returns as many indices as the hooks of the block take; a declaration with another number
    /// does not compile.
    #[inline]
    pub fn all<const N: usize>(self) -> [usize; N] {
        std::array::from_fn(|level| self.all.get(level).copied().unwrap_or(0))
    }
}

/// What names an element of a block: its index, or, of a block in others, an index for each level,
/// that of the outermost block first.
pub trait ElementIndex {
    /// Returns the indices.
    fn indices(&self) -> &[usize];
}

impl ElementIndex for usize {
    fn indices(&self) -> &[usize] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> ElementIndex for [usize; N] {
    fn indices(&self) -> &[usize] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Indices;

    #[test]
    fn indices_are_in_the_order_of_their_levels() {
        let indices = Indices::of(7).then(2).then(9);
        assert_eq!(indices.all(), [7, 2, 9]);
        assert_eq!(indices.first(), 7);
        let many = indices.then(1).then(5);
        assert_eq!(many.all(), [7, 2, 9, 1]);
    }
}
