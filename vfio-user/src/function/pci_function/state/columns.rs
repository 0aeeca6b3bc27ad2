//! The division of registers and blocks into fields and sections.

use std::borrow::Cow;

use crate::migration::{Part, parts};
use crate::model::{Block, Descriptor, Register, Slot};

/// Elements of a register that form a field: of the device, or of elements of a block.
pub(super) struct Column {
    pub(super) register: &'static Register,
    register_index: usize,
    part: Part,
    block: Option<BlockPart>,
}

impl Column {
    /// Returns the slot of a register that is written as a number, not as a list of one.
    pub(super) fn single(&self) -> Option<Slot> {
        let is_single = self.block.is_none() && self.part.is_first() && self.part.len() == 1;
        is_single.then(|| Slot::new(self.register_index, 0))
    }

    /// Returns whether a version with fewer elements lacks the field.
    pub(super) fn is_grown(&self) -> bool {
        !self.part.is_first()
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        self.part.name(self.register.name())
    }

    /// Returns the names in older state.
    pub(super) fn old_names(&self) -> impl Iterator<Item = Cow<'static, str>> {
        let names = self.register.old_names().iter();
        names.map(|name| self.part.name(name))
    }

    /// Returns whether the field has this name, or has had it.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let mut old = self.register.old_names().iter();
        name == self.name() || old.any(|old| name == self.part.name(old))
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (register, elements) = (self.register_index, self.part.elements());
        let block = self.block.as_ref().map(|block| block.block_index);
        let blocks = self.block.as_ref().map_or(0..1, |block| block.part.elements());
        blocks.flat_map(move |block_element| {
            elements.clone().map(move |element| match block {
                Some(block) => Slot::new(register, element).in_block(block, block_element),
                None => Slot::new(register, element),
            })
        })
    }
}

/// Returns the columns of the device's own registers for which `is_wanted` is true.
pub(super) fn own_columns(
    descriptor: &Descriptor,
    is_wanted: fn(&Register) -> bool,
) -> impl Iterator<Item = Column> + use<> {
    columns(descriptor.registers_in(None), None, is_wanted)
}

fn columns<I: Iterator<Item = (usize, &'static Register)>>(
    registers: I,
    block: Option<BlockPart>,
    is_wanted: fn(&Register) -> bool,
) -> impl Iterator<Item = Column> + use<I> {
    let wanted = registers.filter(move |(_, register)| is_wanted(register));
    wanted.flat_map(move |(register_index, register)| {
        let parts = parts(register.count() as usize, register.grown_from());
        let block = block.clone();
        parts.map(move |part| Column { register, register_index, part, block: block.clone() })
    })
}

/// Elements of a block that form a section.
#[derive(Clone)]
pub(super) struct BlockPart {
    pub(super) block: &'static Block,
    /// The index of the block in the device.
    pub(super) block_index: usize,
    pub(super) part: Part,
}

impl BlockPart {
    /// Returns the id of the section.
    pub(super) fn id(&self) -> String {
        section_id(&self.part.name(&self.block.path()))
    }

    /// Returns the ids of the section, that of this version first.
    pub(super) fn ids(&self) -> Vec<String> {
        self.block.paths().iter().map(|path| section_id(&self.part.name(path))).collect()
    }

    /// Returns whether older versions lack the section.
    pub(super) fn is_new(&self) -> bool {
        !self.part.is_first() || self.block.since().is_some()
    }

    pub(super) fn columns(
        &self,
        descriptor: &Descriptor,
        is_wanted: fn(&Register) -> bool,
    ) -> impl Iterator<Item = Column> + use<> {
        let registers = descriptor.registers_in(Some(self.block_index));
        columns(registers, Some(self.clone()), is_wanted)
    }
}

/// Returns all parts of all blocks.
pub(super) fn block_parts(descriptor: &Descriptor) -> impl Iterator<Item = BlockPart> + use<> {
    descriptor.blocks().iter().enumerate().flat_map(|(block_index, block)| {
        block.parts().map(move |part| BlockPart { block, block_index, part })
    })
}

fn section_id(block: &str) -> String {
    format!("block.{block}")
}
