//! The names of blocks, with those of the blocks around them.

use std::fmt::{self, Display, Formatter};
use std::iter;

use super::block::Block;
use crate::layout;

impl Block {
    /// Returns the name with those of the blocks around it, `rings.channels`, and all that it has
    /// had in older state.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = vec![String::new()];
        for level in self.levels.iter() {
            let names = || iter::once(level.name).chain(level.old_names.iter().copied());
            paths = paths
                .iter()
                .flat_map(|path| names().map(move |name| format!("{path}{name}.")))
                .collect();
        }
        let names = || iter::once(self.name()).chain(self.old_names().iter().copied());
        paths.iter().flat_map(|path| names().map(move |name| format!("{path}{name}"))).collect()
    }

    /// Returns the name with those of the blocks around it.
    pub(crate) fn path(&self) -> String {
        let around = self.levels.iter().map(|level| level.name);
        around.chain([self.name()]).collect::<Vec<_>>().join(".")
    }

    /// Returns the names with the numbers of elements of arrays, `rings[4].channels[8]`.
    #[cfg(feature = "describe")]
    pub(crate) fn counted_path(&self) -> String {
        let counted = |(name, count): (&str, u32)| match count {
            1 => name.to_owned(),
            count => format!("{name}[{count}]"),
        };
        self.name_counts().map(counted).collect::<Vec<_>>().join(".")
    }

    /// Displays the name of an element, `rings[2].channels[1]`.
    pub(crate) fn element(&self, element: usize) -> ElementName<'_> {
        ElementName { block: self, element }
    }

    /// Returns the names of the blocks around this one and of itself, each with its number of
    /// elements.
    fn name_counts(&self) -> impl DoubleEndedIterator<Item = (&'static str, u32)> {
        let around = self.levels.iter().map(|level| (level.name, level.count));
        around.chain([(self.name(), self.own_count())])
    }

    /// Returns the indices of an element, that of the outermost block first.
    fn indices_of(&self, element: usize) -> Vec<usize> {
        let mut rest = element;
        let index = |(_, count): (&str, u32)| {
            let count = count.max(1) as usize;
            let index = rest % count;
            rest /= count;
            index
        };
        let mut indices: Vec<_> = self.name_counts().rev().map(index).collect();
        indices.reverse();
        indices
    }
}

/// The name of an element of a block, with those of the blocks around it.
pub(crate) struct ElementName<'a> {
    block: &'a Block,
    element: usize,
}

impl Display for ElementName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let indices = self.block.indices_of(self.element);
        let mut before = "";
        for ((name, count), index) in self.block.name_counts().zip(indices) {
            write!(f, "{before}{name}")?;
            if count > 1 {
                write!(f, "[{index}]")?;
            }
            before = ".";
        }
        Ok(())
    }
}

/// Returns the index of the block with a name, which has those of the blocks around it:
/// `rings.channels`.
pub(crate) const fn find_block(blocks: &[Block], path: &str) -> Option<usize> {
    let mut index = 0;
    while index < blocks.len() {
        if is_path_of(blocks, index, path.as_bytes()) {
            return Some(index);
        }
        index += 1;
    }
    None
}

const fn is_path_of(blocks: &[Block], index: usize, path: &[u8]) -> bool {
    let block = &blocks[index];
    let Some(enclosing) = block.enclosing else {
        return layout::is_same_bytes(path, block.name().as_bytes());
    };
    let Some(start) = path.len().checked_sub(block.name().len()) else { return false };
    let (around, name) = path.split_at(start);
    let Some((b'.', around)) = around.split_last() else { return false };
    layout::is_same_bytes(name, block.name().as_bytes()) && is_path_of(blocks, enclosing, around)
}
