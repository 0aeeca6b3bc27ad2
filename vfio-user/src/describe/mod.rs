//! Descriptions of a device, made from its [`Descriptor`] alone: as text for people, as Markdown
//! for documents, as JSON for tools, as bytes for `lspci`.
//!
//! ```
//! use vfio_user::{Device, PciDevice, describe};
//!
//! /// Remembers what it is told.
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

mod capability;
mod json;
mod lspci;
mod markdown;
mod phrases;
mod text;

pub use json::VERSION as JSON_VERSION;

use crate::layout::CONFIG;
use crate::model::{Block, ComposedInterrupt, Descriptor, Register};

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
}

impl Family {
    fn of(descriptor: &Descriptor) -> Self {
        let registers = descriptor.declared_registers();
        Family { registers, intrs: descriptor.composed_interrupts(), block: None }
    }

    fn of_block(block: &'static Block) -> Self {
        let (registers, intrs) = (block.declared_registers(), block.declared_interrupts());
        Family { registers, intrs, block: Some(block) }
    }

    /// Returns the number of an interrupt; in a block, that of the first element.
    fn vector(self, intr: &ComposedInterrupt) -> u16 {
        self.block.map_or(intr.vector, |block| block.vector_of(intr, 0))
    }

    fn name(self, register_index: usize) -> Option<&'static str> {
        Some(self.registers.get(register_index)?.name())
    }
}

/// Returns the registers of a BAR, by offset.
fn registers(descriptor: &Descriptor, bar: u8) -> Vec<&'static Register> {
    let registers = descriptor.declared_registers();
    by_offset(registers.iter().filter(|register| register.bar_index() == bar))
}

/// Returns the blocks of a BAR, by offset.
fn blocks(descriptor: &Descriptor, bar: u8) -> Vec<&'static Block> {
    let blocks = descriptor.declared_blocks().iter().filter(|block| block.bar_index() == bar);
    let mut blocks: Vec<_> = blocks.collect();
    blocks.sort_by_key(|block| block.extent().offset);
    blocks
}

/// Whether the device has registers of its own in configuration space.
fn has_config(descriptor: &Descriptor) -> bool {
    !registers(descriptor, CONFIG).is_empty() || !blocks(descriptor, CONFIG).is_empty()
}

fn by_offset<'r>(registers: impl IntoIterator<Item = &'r Register>) -> Vec<&'r Register> {
    let mut registers: Vec<_> = registers.into_iter().collect();
    registers.sort_by_key(|register| register.extent().offset);
    registers
}
