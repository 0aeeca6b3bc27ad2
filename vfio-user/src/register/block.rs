//! Groups of registers that a device has several of, or shares with other devices.

use super::{Intr, Register};
use crate::device::{Cx, Device, Hook, Slot};
use crate::layout::{CONFIG, Extent, Kind};
use crate::migration::{Exchange, StateError, StateLayout, StateReader, StateWriter, WireType};

/// A group of registers, as plain data. Derive it:
///
/// ```
/// use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};
///
/// #[derive(Clone, Copy, Default, RegisterBlock)]
/// #[block(host = QueueHost)]
/// struct Queue {
///     #[reg(0x00)]
///     base: u64,
///     #[reg(0x08, wo, write_with = doorbell)]
///     doorbell: Virtual<u32>,
/// }
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Dma {
///     #[block(0x100, stride = 0x20)]
///     queues: [Queue; 4],
/// }
///
/// impl Device for Dma {
///     type Event = ();
/// }
///
/// impl QueueHost for Dma {
///     fn doorbell(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u32) {
///         self.queues[index].base += u64::from(value);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a block of registers",
    label = "not a block",
    note = "a block is a struct with `#[derive(RegisterBlock)]`"
)]
pub trait RegisterBlock {
    /// What has the hooks: the block itself.
    #[doc(hidden)]
    type Hooks;

    /// The declaration; offsets count from the start of the block.
    const REGISTERS: &'static [Register];

    /// The room that the registers take, computed once for all fields of this type.
    #[doc(hidden)]
    const SHAPE: Shape = Shape::of(Self::REGISTERS);

    /// The interrupts that the runtime composes; places are those in the block.
    const INTERRUPTS: &'static [Intr] = &[];

    /// The stored bits of a register; 0 for one without storage.
    fn load(&self, slot: Slot) -> u64;

    /// Stores the bits of a register; nothing for one without storage.
    fn store(&mut self, slot: Slot, bits: u64);

    /// How private fields migrate; `None` for a block that does not.
    const STATE: Option<StateLayout> = None;

    /// The types of the private fields in a stream, in the order in which they are declared.
    fn state_types() -> Vec<WireType> {
        Vec::new()
    }

    /// Writes the private fields of all elements, each field as a column.
    ///
    /// # Errors
    ///
    /// If a value cannot be written.
    fn save_private(elements: &[Self], out: &mut StateWriter<'_>) -> Result<(), StateError>
    where
        Self: Sized,
    {
        let _ = (elements, out);
        Ok(())
    }

    /// Reads the private fields of `count` elements.
    ///
    /// # Errors
    ///
    /// If a field is missing or cannot have its value.
    fn load_private(
        count: usize,
        from: &mut StateReader<'_>,
    ) -> Result<Exchange<[Self]>, StateError>
    where
        Self: Sized,
    {
        let _ = (count, from);
        Ok(Box::new(|_| {}))
    }
}

/// The hooks of a block in a device that is its host.
pub trait BlockHooks<D: Device> {
    /// Calls a hook of a register of block `index`, as [`PciDevice::hook`](crate::PciDevice::hook).
    fn hook(device: &mut D, cx: &mut Cx<'_, D>, index: usize, slot: Slot, hook: Hook) -> u64 {
        let _ = (device, cx, index, slot, hook);
        0
    }
}

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
