//! Descriptions of a device, made from its [`Descriptor`] alone: as text or a page of HTML for
//! people, as Markdown for documents, as JSON and SVD for tools, as a C header for drivers, and as
//! bytes for `lspci`.
//!
//! ```
//! use vfio_user::{Device, PciDevice, describe};
//!
//! /// Stores what is written.
//! #[derive(Default, PciDevice)]
//! #[pci(vendor = 0x1234, device = 0xcafe)]
//! #[bar(0: mem32, size = 0x1000)]
//! struct Scratch {
//!     /// Holds what is written.
//!     #[reg(0x00, reset = 0xff)]
//!     scratch: u32,
//! }
//!
//! impl Device for Scratch {
//!     type Event = ();
//! }
//!
//! let text = describe::text(&Scratch::DESCRIPTOR);
//! assert!(text.contains("u32  rw    scratch, reset 0xff\n"));
//! ```
//!
//! The layout of the JSON is documented in `docs/describe.md`. It has a [version](JSON_VERSION);
//! text and Markdown are for reading and may change.

mod c_header;
mod capability;
mod html;
mod json;
mod lspci;
mod markdown;
mod phrases;
mod svd;
mod text;

pub use json::VERSION as JSON_VERSION;

use std::iter;

use crate::layout::CONFIG;
use crate::model::{
    Block, ComposedInterrupt, Descriptor, MemoryRange, Register, ResetSet, UnmodelledRange,
};

/// Describes a device for people.
pub fn text(descriptor: &Descriptor) -> String {
    text::Text(descriptor).to_string()
}

/// Describes a device as a page of Markdown, with a table for each BAR.
pub fn markdown(descriptor: &Descriptor) -> String {
    markdown::Page(descriptor).to_string()
}

/// Describes a device for tools, as JSON.
pub fn json(descriptor: &Descriptor) -> String {
    json::render(descriptor)
}

/// Describes a device as a page of HTML, which is complete in itself.
pub fn html(descriptor: &Descriptor) -> String {
    html::Page(descriptor).to_string()
}

/// Describes the registers of a device in CMSIS-SVD, for tools that know register maps.
pub fn svd(descriptor: &Descriptor) -> String {
    svd::render(descriptor)
}

/// Describes the registers of a device as a C header, for its driver.
pub fn c_header(descriptor: &Descriptor) -> String {
    c_header::Header(descriptor).to_string()
}

/// Returns the configuration space of a device after power-on, in the format of `lspci -F`. The
/// device's own registers in it have their declared reset values, or zeros.
pub fn lspci(descriptor: &Descriptor) -> String {
    lspci::Dump(descriptor).to_string()
}

/// Registers that are declared together and refer to each other by index.
#[derive(Clone, Copy)]
struct Family {
    registers: &'static [Register],
    intrs: &'static [ComposedInterrupt],
    /// The block that contains them.
    block: Option<&'static Block>,
    /// Mentions one of them.
    mention: fn(Option<&Block>, &str) -> String,
}

impl Family {
    fn of(descriptor: &Descriptor) -> Self {
        let registers = descriptor.registers();
        let intrs = descriptor.interrupts();
        Family { registers, intrs, block: None, mention: by_name }
    }

    fn of_block(block: &'static Block) -> Self {
        let (registers, intrs) = (block.registers(), block.interrupts());
        Family { registers, intrs, block: Some(block), mention: by_name }
    }

    /// Sets how phrases mention registers.
    fn mentioned_by(self, mention: fn(Option<&Block>, &str) -> String) -> Self {
        Family { mention, ..self }
    }

    fn mention(self, register: &str) -> String {
        (self.mention)(self.block, register)
    }

    /// Returns the number of an interrupt; in a block, that of the first element.
    fn vector(self, intr: &ComposedInterrupt) -> u16 {
        self.block.map_or(intr.vector, |block| block.vector_of(intr, 0))
    }

    /// Returns the distances between the numbers of an interrupt, each with the letter of the index
    /// that it belongs to.
    fn vector_steps(self) -> Vec<(char, u16)> {
        let (mut letters, mut steps) = (LETTERS.into_iter().peekable(), Vec::new());
        for (count, stride) in self.block.into_iter().flat_map(Block::vector_strides) {
            steps.extend(letters.peek().filter(|_| stride > 0).map(|letter| (*letter, stride)));
            letters.next_if(|_| count > 1);
        }
        steps
    }

    /// Returns the resets over which a register keeps its value.
    fn kept_over(self, register: &Register) -> ResetSet {
        let of_block = self.block.map_or(ResetSet::EMPTY, Block::kept_over);
        register.kept_over().union(of_block)
    }

    fn name(self, register_index: usize) -> Option<&'static str> {
        Some(self.registers.get(register_index)?.name())
    }
}

/// The letters of the indices of blocks, by the number of arrays of blocks around them.
const LETTERS: [char; 4] = ['i', 'j', 'k', 'l'];

fn by_name(_: Option<&Block>, register: &str) -> String {
    register.to_owned()
}

/// Returns the registers of a BAR that exist, by offset.
fn registers(descriptor: &Descriptor, bar: u8) -> Vec<&'static Register> {
    let registers = descriptor.registers_in(None).map(|(_, register)| register);
    by_offset(registers.filter(|register| register.bar() == bar))
}

/// Returns the blocks of a BAR that lie in no others, by offset.
fn blocks(descriptor: &Descriptor, bar: u8) -> Vec<&'static Block> {
    let blocks = descriptor.own_blocks().iter().filter(|block| block.bar() == bar);
    existing_by_offset(blocks)
}

/// Returns the registers of a block that exist, by offset.
fn registers_in(descriptor: &Descriptor, block: &Block) -> Vec<&'static Register> {
    let registers = descriptor.registers_in(index_of(descriptor, block));
    by_offset(registers.map(|(_, register)| register))
}

/// Returns the blocks directly in a block, by offset.
fn blocks_in(descriptor: &Descriptor, block: &Block) -> Vec<&'static Block> {
    let blocks = descriptor.blocks_in(index_of(descriptor, block));
    existing_by_offset(blocks.map(|(_, inner)| inner))
}

fn index_of(descriptor: &Descriptor, block: &Block) -> Option<usize> {
    descriptor.blocks().iter().position(|one| std::ptr::eq(one, block))
}

/// Returns a block and the blocks around it, the outermost first, each with the letter of its
/// index.
fn blocks_around(descriptor: &Descriptor, block: &'static Block) -> Vec<(&'static Block, char)> {
    let around = |block: &&'static Block| descriptor.blocks().get(block.enclosing()?);
    let mut blocks: Vec<_> = iter::successors(Some(block), around).collect();
    blocks.reverse();
    let is_array = |block: &&Block| block.own_count() > 1;
    let letter = |index: usize| LETTERS[blocks[..index].iter().filter(|one| is_array(one)).count()];
    blocks.iter().enumerate().map(|(index, block)| (*block, letter(index))).collect()
}

/// Returns the registers of the block around a block, or of the device.
fn registers_around(descriptor: &Descriptor, block: &Block) -> &'static [Register] {
    let around = block.enclosing().and_then(|around| descriptor.blocks().get(around));
    around.map_or(descriptor.registers(), Block::registers)
}

fn existing_by_offset(blocks: impl Iterator<Item = &'static Block>) -> Vec<&'static Block> {
    let mut blocks: Vec<_> = blocks.filter(|block| block.count() > 0).collect();
    blocks.sort_by_key(|block| block.extent().offset);
    blocks
}

/// Returns the memories of a BAR, by offset.
fn memories(descriptor: &Descriptor, bar: u8) -> Vec<&'static MemoryRange> {
    let memories = descriptor.memories().iter();
    let mut memories: Vec<_> = memories.filter(|memory| memory.bar() == bar).collect();
    memories.sort_by_key(|memory| memory.start());
    memories
}

/// Returns the places of a BAR without a model, by offset.
fn unmodelled(descriptor: &Descriptor, bar: u8) -> Vec<&'static UnmodelledRange> {
    let places = descriptor.unmodelled().iter();
    let mut places: Vec<_> = places.filter(|place| place.bar() == bar).collect();
    places.sort_by_key(|place| place.start());
    places
}

/// Whether the device has registers of its own in configuration space.
fn has_config(descriptor: &Descriptor) -> bool {
    !registers(descriptor, CONFIG).is_empty() || !blocks(descriptor, CONFIG).is_empty()
}

fn by_offset(registers: impl Iterator<Item = &'static Register>) -> Vec<&'static Register> {
    let mut registers: Vec<_> = registers.collect();
    registers.sort_by_key(|register| register.extent().offset);
    registers
}
