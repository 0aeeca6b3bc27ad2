//! Finds registers by name.

use vfio_user::protocol::RegionIndex;

use super::{Block, Description, Register};
use crate::place::Offset;

/// A register, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) place: Offset,
    pub(crate) register: &'a Register,
}

impl Description {
    /// Finds a register by a name such as `queues[2].tail`.
    pub(crate) fn find(&self, name: &str) -> Option<Found<'_>> {
        let bars = self.bars.iter().map(|bar| (RegionIndex::from(bar.index), &bar.area));
        let mut areas = bars.chain([(RegionIndex::Config, &self.config)]);
        areas.find_map(|(region, area)| {
            let (offset, register) = find(&area.registers, &area.blocks, name)?;
            Some(Found { place: Offset { region, offset }, register })
        })
    }
}

/// Finds a register, or one of a block.
fn find<'a>(
    registers: &'a [Register],
    blocks: &'a [Block],
    name: &str,
) -> Option<(u64, &'a Register)> {
    let Some((outer, inner)) = name.split_once('.') else {
        let (name, index) = element(name)?;
        let register = registers.iter().find(|register| register.name == name)?;
        let offset = index_into(index, register.count, register.stride)?;
        return Some((register.offset.checked_add(offset)?, register));
    };
    let (name, index) = element(outer)?;
    let block = blocks.iter().find(|block| block.name == name)?;
    let start = block.offset.checked_add(index_into(index, block.count, block.stride)?)?;
    let (offset, register) = find(&block.registers, &block.blocks, inner)?;
    Some((start.checked_add(offset)?, register))
}

/// Splits `data[3]`.
fn element(name: &str) -> Option<(&str, Option<u64>)> {
    let Some((name, index)) = name.split_once('[') else { return Some((name, None)) };
    Some((name, Some(index.strip_suffix(']')?.parse().ok()?)))
}

/// Returns the offset of an element; of an array the index has to be given.
fn index_into(index: Option<u64>, count: u64, stride: u64) -> Option<u64> {
    match index {
        None if count == 1 => Some(0),
        Some(index) if index < count => index.checked_mul(stride),
        _ => None,
    }
}
