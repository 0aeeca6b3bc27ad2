//! Makes blocks that compile.

use super::super::map::{Array, Group, Node, Register};
use super::register;
use super::space::Taken;

/// A block, or an array of them.
#[derive(Debug)]
pub(in super::super) struct Block {
    pub(in super::super) name: String,
    pub(in super::super) doc: String,
    pub(in super::super) offset: u64,
    pub(in super::super) array: Option<Array>,
    pub(in super::super) registers: Vec<Register>,
    /// The blocks in each element.
    pub(in super::super) blocks: Vec<Block>,
    pub(in super::super) notes: Vec<String>,
}

/// The most blocks around a block.
pub(super) const MOST_AROUND: usize = 3;

impl Block {
    /// Returns a group as a block with so many blocks around it; nothing if it cannot be one.
    pub(super) fn new(group: &Group, is_own: bool, around: usize) -> Option<Self> {
        if around > MOST_AROUND || group.nodes.is_empty() {
            return None;
        }
        let mut taken = Taken::default();
        let (mut registers, mut blocks) = (Vec::new(), Vec::new());
        for node in &group.nodes {
            match node {
                Node::Register(register) => {
                    let register = register::fit(register.clone(), is_own).ok()?;
                    taken.register(&register).ok()?;
                    registers.push(register);
                }
                Node::Group(inner) => {
                    let block = Block::new(inner, is_own, around + 1)?;
                    taken.block(&block).ok()?;
                    blocks.push(block);
                }
            }
        }
        Some(Block {
            name: group.name.clone(),
            doc: group.doc.clone(),
            offset: group.offset,
            array: group.array.filter(|array| array.count > 1),
            registers,
            blocks,
            notes: group.notes.clone(),
        })
    }

    /// Returns the number of bytes of an element.
    pub(super) fn size(&self) -> u64 {
        let registers = self.registers.iter();
        let registers = registers.map(|one| end(one.offset, one.array, one.bits / 8));
        let blocks = self.blocks.iter().map(|one| end(one.offset, one.array, one.size()));
        registers.chain(blocks).max().unwrap_or(0)
    }

    /// Returns the width of the widest register.
    pub(super) fn alignment(&self) -> u64 {
        let registers = self.registers.iter().map(|register| register.bits / 8);
        registers.chain(self.blocks.iter().map(Block::alignment)).max().unwrap_or(1)
    }

    /// Returns the distance between elements that lie as close together as alignment allows.
    pub(in super::super) fn dense_stride(&self) -> u64 {
        self.size().next_multiple_of(self.alignment())
    }
}

/// Returns the end of the last element.
fn end(offset: u64, array: Option<Array>, size: u64) -> u64 {
    let Array { count, stride } = array.unwrap_or(Array { count: 1, stride: 0 });
    let last = count.saturating_sub(1).saturating_mul(stride);
    offset.saturating_add(last).saturating_add(size)
}
