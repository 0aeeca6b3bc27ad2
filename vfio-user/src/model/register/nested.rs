//! Blocks in blocks.
//!
//! A declaration lists all blocks: those of the struct itself, and behind them those that lie in
//! each. The elements of a block in another one are counted through all elements of that: element
//! `j` of a block of `n` elements, in element `i` of the block around it, is number `i * n + j`.

use std::ops::Range;

use super::block::{Block, BlockContents};
use super::level::Level;
use crate::migration::{Part, parts};

/// Returns the number of all blocks of a struct that itself declares these.
pub const fn block_count(own: &[Block]) -> usize {
    let (mut count, mut index) = (own.len(), 0);
    while index < own.len() {
        count += own[index].inner().len();
        index += 1;
    }
    count
}

/// Returns all blocks of a struct that itself declares these.
///
/// # Panics
///
/// If `N` is not their number.
pub const fn all_blocks<const N: usize>(own: &'static [Block]) -> [Block; N] {
    let mut all = [Block::new("", 0, BlockContents::of(&[])); N];
    let (mut index, mut first) = (0, own.len());
    while index < own.len() {
        let around = &own[index];
        all[index] = *around;
        all[index].first_inner = first;
        let mut inner = 0;
        while inner < around.inner().len() {
            all[first + inner] = around.inner()[inner].inside(around, index, first);
            inner += 1;
        }
        first += around.inner().len();
        index += 1;
    }
    all
}

/// Returns all blocks of a struct that itself declares these, for a declaration at run time.
pub fn list_blocks(own: &[Block]) -> Vec<Block> {
    let (mut all, mut first) = (own.to_vec(), own.len());
    for (index, around) in own.iter().enumerate() {
        all[index].first_inner = first;
        all.extend(around.inner().iter().map(|inner| inner.inside(around, index, first)));
        first += around.inner().len();
    }
    all
}

/// Blocks in blocks.
impl Block {
    /// Returns this block as part of one of a struct's own blocks: the one at `index`, whose inner
    /// blocks start at `first`.
    const fn inside(mut self, around: &Block, index: usize, first: usize) -> Self {
        self.enclosing = match self.enclosing {
            Some(enclosing) => Some(first + enclosing),
            None => Some(index),
        };
        self.first_inner += first;
        let extent = around.extent();
        self.levels = self.levels.inside(Level {
            name: around.name(),
            old_names: around.old_names(),
            count: around.own_count(),
            stride: if extent.count == 1 { 0 } else { extent.stride },
            is_selected: around.selector().is_some(),
            vector_stride: around.vector_stride(),
            grown_from: around.grown_from(),
        });
        self.bar = around.bar();
        self.base = self.base.saturating_add(extent.offset);
        self.vector = self.vector.saturating_add(around.vector);
        self.kept_over = self.kept_over.union(around.kept_over());
        self.in_selected |= around.selector().is_some();
        self.since = around.since();
        self
    }

    /// Returns the block with another number of elements of the block around all others.
    pub(crate) const fn with_outer_count(mut self, count: u32) -> Self {
        self.levels = self.levels.with_outer_count(count);
        self
    }

    /// Returns the index of the block around this one, in the list of all blocks; `None` for a
    /// block of the device itself.
    pub const fn enclosing(&self) -> Option<usize> {
        self.enclosing
    }

    /// Returns the number of blocks around this one.
    pub(crate) const fn depth(&self) -> usize {
        self.levels.depth()
    }

    /// Returns the blocks in each element.
    pub(crate) const fn inner(&self) -> &'static [Block] {
        self.contents.blocks
    }

    /// Returns the indices of the blocks in this one, in the list of all blocks.
    pub(crate) const fn inner_range(&self) -> Range<usize> {
        self.first_inner..self.first_inner + self.inner().len()
    }

    /// Returns the number of indices that the hooks take; `None` without hooks.
    pub(crate) const fn indices(&self) -> Option<u8> {
        self.contents.indices
    }

    /// Returns whether a selector chooses its elements, or those of a block around it.
    pub(crate) const fn is_selected(&self) -> bool {
        self.in_selected || self.selector().is_some()
    }

    /// Returns the number of elements and the distance between their interrupt numbers, of the
    /// blocks around this one and of itself.
    #[cfg(feature = "describe")]
    pub(crate) fn vector_strides(&self) -> impl Iterator<Item = (u32, u16)> {
        let around = self.levels.iter().map(|level| (level.count, level.vector_stride));
        around.chain([(self.own_count(), self.vector_stride())])
    }

    /// Returns the number of the element with these indices, one for each level; `None` if there is
    /// no such element.
    pub(crate) fn element_at(&self, indices: &[usize]) -> Option<usize> {
        let around = self.levels.iter().map(|level| level.count);
        let counts = around.chain([self.own_count()]);
        if indices.len() != self.depth() + 1 {
            return None;
        }
        indices.iter().zip(counts).try_fold(0, |number, (index, count)| {
            let count = count as usize;
            (*index < count).then_some(number * count + index)
        })
    }

    /// Returns whether an element is the first of all those that share its bytes.
    pub(crate) fn is_first_selected(&self, element: usize) -> bool {
        let own = (self.own_count(), self.selector().is_some());
        let around = self.levels.iter().map(|level| (level.count, level.is_selected));
        let mut rest = element;
        around.chain([own]).rev().all(|(count, is_selected)| {
            let index = rest % count as usize;
            rest /= count as usize;
            !is_selected || index == 0
        })
    }

    /// Returns the elements that versions have added, of this block or of the one around all
    /// others.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let (mut count, mut grown_from, mut inside) = (self.own_count(), self.grown_from(), 1);
        if let Some(outermost) = self.levels.outermost() {
            (count, grown_from) = (outermost.count, outermost.grown_from);
            let around = self.levels.iter().skip(1).map(|level| level.count as usize);
            inside = around.product::<usize>() * self.own_count() as usize;
        }
        parts(count as usize, grown_from).map(move |part| part.times(inside))
    }
}
