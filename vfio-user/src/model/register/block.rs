//! Groups of registers that a device has several of, or shares with other devices.

use super::{Intr, Register};
use crate::layout::{CONFIG, Extent, Kind};
use crate::migration::StateLayout;

/// The room that the registers of a block take.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// From the start of the block to the end of its last register.
    size: u64,
    /// The width of its widest register.
    alignment: u64,
}

impl Shape {
    /// Of a block of `registers`.
    pub const fn of(registers: &[Register]) -> Self {
        let (mut shape, mut i) = (Shape { size: 0, alignment: 1 }, 0);
        while i < registers.len() {
            let width = registers[i].width() as u64;
            if width > shape.alignment {
                shape.alignment = width;
            }
            if let Some(end) = registers[i].extent().end()
                && end > shape.size
            {
                shape.size = end;
            }
            i += 1;
        }
        shape
    }
}

/// A block, or an array of them, as a device declares it.
///
/// It owns all bytes from its start to the end of its last register, those between registers as
/// well.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    name: &'static str,
    bar: u8,
    offset: u64,
    count: u32,
    stride: Option<u64>,
    registers: &'static [Register],
    shape: Shape,
    interrupts: &'static [Intr],
    vector: u16,
    vector_stride: u16,
    state: Option<StateLayout>,
    old_names: &'static [&'static str],
    since: Option<u16>,
    grown_from: &'static [u32],
    doc: &'static str,
    /// It is what a capability holds.
    is_body: bool,
}

impl Block {
    /// A block of `registers`, `offset` bytes from the start of BAR 0.
    pub const fn new(name: &'static str, offset: u64, registers: &'static [Register]) -> Self {
        Self::shaped(name, offset, registers, Shape::of(registers))
    }

    /// The same with the shape of the registers, which its type has computed.
    #[doc(hidden)]
    pub const fn shaped(
        name: &'static str,
        offset: u64,
        registers: &'static [Register],
        shape: Shape,
    ) -> Self {
        Block {
            name,
            bar: 0,
            offset,
            count: 1,
            stride: None,
            registers,
            shape,
            interrupts: &[],
            vector: 0,
            vector_stride: 0,
            state: None,
            old_names: &[],
            since: None,
            grown_from: &[],
            doc: "",
            is_body: false,
        }
    }

    /// In another BAR than 0.
    #[must_use]
    pub const fn bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// In configuration space, where a capability has room for it.
    #[doc(hidden)]
    #[must_use]
    pub const fn in_capability(mut self) -> Self {
        self.bar = CONFIG;
        self.is_body = true;
        self
    }

    /// `count` of them, as close as alignment allows.
    #[must_use]
    pub const fn array(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// The distance between the elements of an array, in bytes.
    #[must_use]
    pub const fn stride(mut self, stride: u64) -> Self {
        self.stride = Some(stride);
        self
    }

    /// The interrupts that the runtime composes for each element.
    #[must_use]
    pub const fn interrupts(mut self, interrupts: &'static [Intr]) -> Self {
        self.interrupts = interrupts;
        self
    }

    /// The device's number for interrupt 0 of the first element.
    #[must_use]
    pub const fn vector(mut self, vector: u16) -> Self {
        self.vector = vector;
        self
    }

    /// From the numbers of one element to those of the next: 0 if they share them.
    #[must_use]
    pub const fn vector_stride(mut self, stride: u16) -> Self {
        self.vector_stride = stride;
        self
    }

    /// Its private fields migrate like this; without it the device does not migrate.
    #[must_use]
    pub const fn state(mut self, state: Option<StateLayout>) -> Self {
        self.state = state;
        self
    }

    /// Has other names in older state.
    #[must_use]
    pub const fn renamed_from(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// Added by a version of the device's state. While it is as it was constructed, older versions
    /// leave it out.
    #[must_use]
    pub const fn since(mut self, version: u16) -> Self {
        self.since = Some(version);
        self
    }

    /// An array that had so many elements in older versions.
    #[must_use]
    pub const fn grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// What the author says about it.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The BAR it lies in.
    pub const fn bar_index(&self) -> u8 {
        self.bar
    }

    /// Whether it is what a capability holds.
    pub(crate) const fn is_body(&self) -> bool {
        self.is_body
    }

    /// Whether it stands for one whose declaration is wrong, which has been reported: nothing in
    /// it is a mistake of the device.
    pub(crate) const fn is_placeholder(&self) -> bool {
        !self.registers.is_empty() && self.registers[0].name().is_empty()
    }

    /// Elements of the array; 1 for a single block.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The registers of each element.
    pub const fn declared_registers(&self) -> &'static [Register] {
        self.registers
    }

    /// The composed interrupts of each element.
    pub const fn declared_interrupts(&self) -> &'static [Intr] {
        self.interrupts
    }

    /// The device's number for an interrupt of an element; one that is far too large stays too
    /// large.
    #[expect(clippy::cast_possible_truncation, reason = "compared before")]
    pub const fn vector_of(&self, intr: &Intr, index: usize) -> u16 {
        let index = if index > u16::MAX as usize { u16::MAX } else { index as u16 };
        let first = self.vector.saturating_add(index.saturating_mul(self.vector_stride));
        first.saturating_add(intr.vector)
    }

    /// From the numbers of one element to those of the next.
    pub const fn declared_vector_stride(&self) -> u16 {
        self.vector_stride
    }

    /// Its names in older state.
    pub const fn declared_old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// The version of the device's state that has added it.
    pub const fn declared_since(&self) -> Option<u16> {
        self.since
    }

    /// The numbers of elements that it had in older versions.
    pub const fn declared_growth(&self) -> &'static [u32] {
        self.grown_from
    }

    /// Its name, and those in older state.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        std::iter::once(self.name).chain(self.old_names.iter().copied())
    }

    /// How its private fields migrate.
    pub const fn declared_state(&self) -> Option<&StateLayout> {
        self.state.as_ref()
    }

    /// What the author says about it.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Where it lies in its BAR.
    pub const fn extent(&self) -> Extent<'static> {
        let size = self.shape.size;
        let stride = match self.stride {
            Some(stride) => stride,
            None => size.next_multiple_of(self.alignment()),
        };
        let Block { name, offset, count, .. } = *self;
        Extent { kind: Kind::Block, name, offset, width: size, count: count as u64, stride }
    }

    /// The width of its widest register.
    pub(crate) const fn alignment(&self) -> u64 {
        self.shape.alignment
    }
}
