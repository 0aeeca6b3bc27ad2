//! Groups of registers that a device has several of, or shares with other devices.

use super::level::Levels;
use super::{ComposedInterrupt, Register, RegisterBits};
use crate::layout::{CONFIG, Extent, Kind};
use crate::migration::StateLayout;
use crate::model::{DeclaredTimer, ResetSet};

/// The space that the registers of a block take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// From the start of the block to the end of its last register.
    size: u64,
    /// The width of its widest register, in blocks in it too.
    alignment: u64,
}

impl Shape {
    /// Returns the shape of a block of `registers`, with these blocks in it.
    const fn of(registers: &[Register], blocks: &[Block]) -> Self {
        let (mut shape, mut i) = (Shape { size: 0, alignment: 1 }, 0);
        while i < registers.len() {
            shape = shape.with(&registers[i].extent(), registers[i].width() as u64);
            i += 1;
        }
        let mut i = 0;
        while i < blocks.len() {
            // Others lie in one of these.
            if blocks[i].enclosing.is_none() {
                shape = shape.with(&blocks[i].extent(), blocks[i].alignment());
            }
            i += 1;
        }
        shape
    }

    const fn with(mut self, extent: &Extent<'static>, alignment: u64) -> Self {
        if alignment > self.alignment {
            self.alignment = alignment;
        }
        if let Some(end) = extent.end()
            && end > self.size
        {
            self.size = end;
        }
        self
    }
}

/// What each element of a block consists of. A type that derives
/// [`RegisterBlock`](crate::RegisterBlock) has it as a constant.
#[derive(Clone, Copy, Debug)]
pub struct BlockContents {
    pub(crate) registers: &'static [Register],
    pub(crate) shape: Shape,
    /// The blocks in each element: all of them, as [`all_blocks`](super::nested::all_blocks)
    /// returns them.
    pub(crate) blocks: &'static [Block],
    /// The number of indices that its hooks take; `None` without hooks.
    pub(crate) indices: Option<u8>,
    pub(crate) timers: &'static [DeclaredTimer],
    pub(crate) interrupts: &'static [ComposedInterrupt],
    /// The layout of the private fields that migrate. Without it the device does not migrate.
    pub(crate) state: Option<StateLayout>,
}

impl BlockContents {
    /// Registers, and nothing else.
    pub const fn of(registers: &'static [Register]) -> Self {
        Self::of_blocks(registers, &[])
    }

    /// Registers, and all blocks in each element: those that it declares itself, before those that
    /// lie in them.
    pub const fn of_blocks(registers: &'static [Register], blocks: &'static [Block]) -> Self {
        BlockContents {
            registers,
            shape: Shape::of(registers, blocks),
            blocks,
            indices: None,
            timers: &[],
            interrupts: &[],
            state: None,
        }
    }

    /// Adds timers to each element.
    #[must_use]
    pub const fn with_timers(mut self, timers: &'static [DeclaredTimer]) -> Self {
        self.timers = timers;
        self
    }

    /// Adds interrupts that the runtime composes from registers of the same element.
    #[must_use]
    pub const fn with_interrupts(mut self, interrupts: &'static [ComposedInterrupt]) -> Self {
        self.interrupts = interrupts;
        self
    }

    /// Lets the block migrate: its registers, and its private fields according to `layout`.
    #[must_use]
    pub const fn with_state(mut self, layout: StateLayout) -> Self {
        self.state = Some(layout);
        self
    }
}

/// A block, or an array of blocks, as a device declares it.
///
/// It owns all bytes from its start to the end of its last register, including those between
/// registers.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    name: &'static str,
    pub(super) bar: u8,
    /// From the start of the BAR, or of the block around it.
    offset: u64,
    count: u32,
    stride: Option<u64>,
    selector: Option<RegisterBits>,
    pub(super) contents: BlockContents,
    /// The index of the first block in it among all blocks of the device.
    pub(super) first_inner: usize,
    /// The index of the block around it among all blocks of the device.
    pub(super) enclosing: Option<usize>,
    pub(super) levels: Levels,
    /// The offset of the first element of the block around it.
    pub(super) base: u64,
    /// Whether a block around it has a selector.
    pub(super) in_selected: bool,
    pub(super) vector: u16,
    vector_stride: u16,
    pub(super) kept_over: ResetSet,
    old_names: &'static [&'static str],
    pub(super) since: Option<u16>,
    grown_from: &'static [u32],
    doc: &'static str,
    /// Whether the block is the content of a capability.
    is_body: bool,
}

impl Block {
    /// Declares a block `offset` bytes from the start of BAR 0.
    pub const fn new(name: &'static str, offset: u64, contents: BlockContents) -> Self {
        Block {
            name,
            bar: 0,
            offset,
            count: 1,
            stride: None,
            selector: None,
            contents,
            first_inner: 0,
            enclosing: None,
            levels: Levels::NONE,
            base: 0,
            in_selected: false,
            vector: 0,
            vector_stride: 0,
            kept_over: ResetSet::EMPTY,
            old_names: &[],
            since: None,
            grown_from: &[],
            doc: "",
            is_body: false,
        }
    }

    /// Places the block in another BAR than 0.
    #[must_use]
    pub const fn with_bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// Makes an array of `count` elements, as close together as alignment allows.
    #[must_use]
    pub const fn with_count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Sets the distance between the elements of an array, in bytes.
    #[must_use]
    pub const fn with_stride(mut self, stride: u64) -> Self {
        self.stride = Some(stride);
        self
    }

    /// Makes all elements share the bytes of one: the value of `selector`, bits of a register of
    /// the device, is the index of the element that answers.
    #[must_use]
    pub const fn with_selector(mut self, selector: RegisterBits) -> Self {
        self.selector = Some(selector);
        self
    }

    /// Sets the device's number for interrupt 0 of the first element.
    #[must_use]
    pub const fn with_vector(mut self, vector: u16) -> Self {
        self.vector = vector;
        self
    }

    /// Sets the distance between the interrupt numbers of adjacent elements: 0 if they share them.
    #[must_use]
    pub const fn with_vector_stride(mut self, stride: u16) -> Self {
        self.vector_stride = stride;
        self
    }

    /// Makes all registers of the block keep their values over these resets.
    #[must_use]
    pub const fn with_kept_over(mut self, resets: ResetSet) -> Self {
        self.kept_over = resets;
        self
    }

    /// Sets the names of the block in older state.
    #[must_use]
    pub const fn with_old_names(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// Sets the version of the device's state that added the block. Older versions leave it out
    /// while it is as it was constructed.
    #[must_use]
    pub const fn with_since(mut self, version: u16) -> Self {
        self.since = Some(version);
        self
    }

    /// Sets the numbers of elements that the array had in older versions.
    #[must_use]
    pub const fn with_grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Returns the name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the index of the BAR in which the block lies.
    pub const fn bar(&self) -> u8 {
        self.bar
    }

    /// Returns whether the block is the content of a capability.
    pub(crate) const fn is_body(&self) -> bool {
        self.is_body
    }

    /// Returns whether the block replaces one whose wrong declaration has been reported. Its
    /// contents are not checked.
    pub(crate) const fn is_placeholder(&self) -> bool {
        !self.contents.registers.is_empty() && self.contents.registers[0].name().is_empty()
    }

    /// Returns the number of elements; 1 for a single block. Of a block in others, those in all
    /// elements of these.
    pub const fn count(&self) -> u32 {
        self.count.saturating_mul(self.levels.count())
    }

    /// Returns the number of elements in each element of the block around it; 1 for a single block.
    pub const fn own_count(&self) -> u32 {
        self.count
    }

    /// Returns the registers of each element.
    pub const fn registers(&self) -> &'static [Register] {
        self.contents.registers
    }

    /// Returns the timers of each element.
    pub const fn timers(&self) -> &'static [DeclaredTimer] {
        self.contents.timers
    }

    /// Returns the composed interrupts of each element.
    pub const fn interrupts(&self) -> &'static [ComposedInterrupt] {
        self.contents.interrupts
    }

    /// Returns the device's number for an interrupt of an element. A number that is far too large
    /// stays too large.
    #[expect(clippy::cast_possible_truncation, reason = "compared before")]
    pub const fn vector_of(&self, intr: &ComposedInterrupt, element: usize) -> u16 {
        let own = (element % self.count as usize) as u64;
        let (_, around) = self.levels.distance(element / self.count as usize);
        let distance = own.saturating_mul(self.vector_stride as u64).saturating_add(around);
        let distance = if distance > u16::MAX as u64 { u16::MAX } else { distance as u16 };
        self.vector.saturating_add(distance).saturating_add(intr.vector)
    }

    /// Returns the distance between the interrupt numbers of adjacent elements.
    pub const fn vector_stride(&self) -> u16 {
        self.vector_stride
    }

    /// Returns the selector of the element that answers, if the elements share bytes.
    pub const fn selector(&self) -> Option<RegisterBits> {
        self.selector
    }

    /// Returns the resets over which all registers of the block keep their values.
    pub const fn kept_over(&self) -> ResetSet {
        self.kept_over
    }

    /// Returns the names of the block in older state.
    pub const fn old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// Returns the version of the device's state that added the block.
    pub const fn since(&self) -> Option<u16> {
        self.since
    }

    /// Returns the numbers of elements that the array had in older versions.
    pub const fn grown_from(&self) -> &'static [u32] {
        self.grown_from
    }

    /// Returns the layout of the private fields that migrate.
    pub const fn state(&self) -> Option<&StateLayout> {
        self.contents.state.as_ref()
    }

    /// Returns the author's documentation.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Returns the place of the block in its BAR, or in an element of the block around it. Elements
    /// that share their bytes are one there.
    pub const fn extent(&self) -> Extent<'static> {
        let size = self.contents.shape.size;
        let stride = match self.stride {
            Some(stride) => stride,
            None => size.next_multiple_of(self.alignment()),
        };
        let Block { name, offset, count, .. } = *self;
        let count = if self.selector.is_some() { 1 } else { count as u64 };
        Extent { kind: Kind::Block, name, offset, width: size, count, stride }
    }

    /// Returns the offset of an element in the BAR.
    pub const fn offset_of(&self, element: usize) -> u64 {
        let extent = self.extent();
        let (own, around) = if self.enclosing.is_none() {
            (element, 0)
        } else {
            let around = element / self.count as usize;
            (element % self.count as usize, self.base + self.levels.distance(around).0)
        };
        let distance = if extent.count == 1 { 0 } else { extent.stride * own as u64 };
        around + extent.offset + distance
    }

    /// Returns the width of the widest register.
    pub(crate) const fn alignment(&self) -> u64 {
        self.contents.shape.alignment
    }
}

/// Declares a block in the space of a capability, at an offset in configuration space.
pub const fn capability_block(name: &'static str, offset: u64, contents: BlockContents) -> Block {
    let mut block = Block::new(name, offset, contents);
    block.bar = CONFIG;
    block.is_body = true;
    block
}
