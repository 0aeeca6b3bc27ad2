//! Inspection of registers, and changes of them, without side effects.

use super::{CONFIG_BAR, Function, PciFunction};
use crate::bus::{AccessKind, Contents, Element, Found, Gap, Target, pieces};
use crate::device::PciDevice;
use crate::model::{BlockElement, Descriptor, Hooks, Register, RegisterFlags, Slot, Unmapped};
use crate::protocol::IrqIndex;

/// The value of a register, as far as it is known without a call of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// The value.
    Known(u64),
    /// The stored value, or the reset value, of a register whose hook computes the value of a read.
    Unreliable(u64),
}

impl Peek {
    /// Returns the value in either case.
    pub const fn bits(self) -> u64 {
        match self {
            Peek::Known(bits) | Peek::Unreliable(bits) => bits,
        }
    }

    /// Returns whether the value is exact, because no hook computes another one.
    pub const fn is_known(self) -> bool {
        matches!(self, Peek::Known(_))
    }

    fn map(self, change: impl FnOnce(u64) -> u64) -> Self {
        match self {
            Peek::Known(bits) => Peek::Known(change(bits)),
            Peek::Unreliable(bits) => Peek::Unreliable(change(bits)),
        }
    }
}

/// The error of a peek or a poke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeekError {
    /// No register, or no field of it, has the name.
    #[error("there is no register or field `{0}`")]
    Unknown(String),
    /// A byte belongs to no register, or not every byte belongs to one.
    #[error("there is no register for every byte of {0:#x}..{1:#x}")]
    Unmapped(u64, u64),
    /// The register stores nothing.
    #[error("register `{0}` has no storage")]
    NoStorage(&'static str),
    /// The type of the field, or of one in the register, has no variant for the value.
    #[error("`{name}` has no variant for {value:#x}")]
    NoVariant {
        /// The register or field.
        name: String,
        /// The value.
        value: u64,
    },
    /// The value has bits that are not implemented.
    #[error("{value:#x} does not fit in `{name}`")]
    TooWide {
        /// The register or field.
        name: String,
        /// The value.
        value: u64,
    },
}

impl From<PeekError> for crate::Error {
    fn from(error: PeekError) -> Self {
        crate::Error::Tool(Box::new(error))
    }
}

/// A register, an element of an array, or a field: `status`, `ring[3]`, `ctrl.mode`.
struct NamedBits {
    slot: Slot,
    /// The bits of the field, and the lowest of them.
    mask: u64,
    shift: u8,
}

/// Inspection: no hook runs, no policy applies, nothing is logged.
///
/// A register is named as declared; an element of an array as `ring[3]`, a field as `ctrl.mode` or
/// `ring[3].mode`, a register of a block as `queues[3].doorbell`, of one in another block as
/// `rings[2].channels[1].head`, a byte of a memory as `buffer[3]`.
impl<D: PciDevice> PciFunction<D> {
    /// Returns the value of a register, or of a field of it, including write-only bits.
    ///
    /// # Errors
    ///
    /// If there is no register or field with this name.
    pub fn peek(&self, name: &str) -> Result<Peek, PeekError> {
        if let Some(byte) = self.memory_byte(name) {
            return Ok(self.peek_memory(byte));
        }
        let NamedBits { slot, mask, shift } = self.resolve(name)?;
        Ok(self.peek_slot(slot).map(|bits| (bits & mask) >> shift))
    }

    /// Sets a register, or a field of it, to `value`, including read-only bits.
    ///
    /// # Errors
    ///
    /// If there is no register or field with this name, if the register stores nothing, or if
    /// `value` has bits that are not implemented.
    pub fn poke(&mut self, name: &str, value: u64) -> Result<(), PeekError> {
        if let Some(byte) = self.memory_byte(name) {
            return self.poke_memory(byte, name, value);
        }
        let NamedBits { slot, mask, shift } = self.resolve(name)?;
        if value & !(mask >> shift) != 0 {
            return Err(PeekError::TooWide { name: name.to_owned(), value });
        }
        if self.register(slot).rejected(value << shift) & mask != 0 {
            return Err(PeekError::NoVariant { name: name.to_owned(), value });
        }
        self.poke_slot(slot, value << shift, mask)
    }

    /// Reads from a BAR without side effects, memory and places without a model included, and
    /// returns whether all of the bytes are exact. Of registers that share bytes, the one that
    /// would answer a read of this size now is read.
    ///
    /// # Errors
    ///
    /// If some byte belongs to no register, and the BAR refuses such accesses.
    pub fn peek_at(&self, bar: u8, offset: u64, data: &mut [u8]) -> Result<bool, PeekError> {
        let bar = self.descriptor().origin(bar);
        let end = offset.saturating_add(data.len() as u64);
        let declared = self.descriptor().bars().get(usize::from(bar)).copied().flatten();
        let unmapped = declared.map_or(Unmapped::Refuse, |bar| bar.unmapped());
        let rules = declared.unwrap_or(CONFIG_BAR);
        let (mut all_known, mut at, mut rest) = (true, offset, data);
        while at < end {
            let range = offset..end;
            let (part, area) =
                self.map(bar).map_or((at..end, None), |map| map.areas().part(at, &range));
            let len = usize::try_from(part.end - at).unwrap_or(usize::MAX);
            let (bytes, behind) = rest.split_at_mut(len);
            // What the author serves is not known.
            all_known &= area.is_none_or(|area| area.contents != Contents::Raw);
            // All of an area is shared, or nothing of it.
            if area.is_none() || self.shared(bar).read(at, bytes).is_err() {
                let sizes = pieces(&rules, at, bytes.len()).flat_map(|piece| {
                    (0..piece.len as u64).map(move |byte| (piece.offset + byte, piece.len))
                });
                for ((at, size), byte) in sizes.zip(bytes) {
                    let held = self.peek_area_byte(bar, at);
                    let peek = held.or_else(|| self.peek_byte(bar, at, size));
                    *byte = match (peek, unmapped) {
                        (Some(peek), _) => {
                            all_known &= peek.is_known();
                            peek.bits().to_le_bytes()[0]
                        }
                        (None, Unmapped::Zero) => 0,
                        (None, Unmapped::Ones) => 0xff,
                        (None, Unmapped::Refuse) => {
                            return Err(PeekError::Unmapped(offset, end));
                        }
                    };
                }
            }
            (at, rest) = (part.end, behind);
        }
        Ok(all_known)
    }

    /// Stores bytes in the registers, memories and places without a model of a BAR, regardless of
    /// policies; bits that are not implemented stay zero. Of registers that share bytes, the one
    /// that [`peek_at`](Self::peek_at) reads is changed, or else one that only answers writes.
    ///
    /// # Errors
    ///
    /// If some byte belongs to neither, or to a register that stores nothing. Nothing is stored
    /// in that case.
    pub fn poke_at(&mut self, bar: u8, offset: u64, data: &[u8]) -> Result<(), PeekError> {
        let bar = self.descriptor().origin(bar);
        let end = offset.saturating_add(data.len() as u64);
        let places = (offset..end).map(|at| {
            let place = self.place_at(bar, at, data.len())?;
            place.ok_or(PeekError::Unmapped(offset, end))
        });
        let places: Vec<_> = places.collect::<Result<_, _>>()?;
        for (place, byte) in places.into_iter().zip(data) {
            self.poke_byte(place, *byte)?;
        }
        Ok(())
    }

    fn register(&self, slot: Slot) -> &'static Register {
        self.descriptor().register(slot)
    }

    /// Returns what a read of a byte would return, if the byte belongs to something.
    pub(super) fn peek_byte(&self, bar: u8, offset: u64, size: usize) -> Option<Peek> {
        let found = self.find(bar, offset, AccessKind { is_write: false, size })?;
        if let Err(Gap { silent: Some(silent), .. }) = found
            && silent.is_index()
        {
            return Some(Peek::Known(0));
        }
        let Element { target, index, start, .. } = found.ok()?;
        let peek = match target {
            Target::Register(slot) => {
                let slot = Slot { element: index, ..slot };
                if let Some(window) = self.register(slot).window() {
                    return Some(self.peek_through(window, slot, offset - start));
                }
                self.peek_slot(slot).map(|bits| self.register(slot).access().read(bits))
            }
            Target::MsixTable => Peek::Known(self.msix_table().read(index)),
            Target::MsixPba => Peek::Known(self.interrupts().pending(IrqIndex::Msix, index)),
        };
        Some(peek.map(|bits| bits >> (self.significance(target, offset - start) * 8)))
    }

    /// Returns the number of a byte in the value of what lies there, 0 the least significant one.
    fn significance(&self, target: Target, distance: u64) -> u64 {
        match target {
            Target::Register(slot) => {
                let is_big = self.descriptor().is_big(slot);
                self.register(slot).significance(is_big, distance)
            }
            Target::MsixTable | Target::MsixPba => distance,
        }
    }

    /// Returns what answers an access to a byte.
    pub(super) fn find(&self, bar: u8, offset: u64, access: AccessKind) -> Option<Found> {
        let load = |slot| self.device().load(slot);
        Some(self.map(bar)?.find(offset, access, self.descriptor(), load))
    }

    /// Returns the register that answers an access to a byte, and the number of the byte in it.
    pub(super) fn slot_at(
        &self,
        bar: u8,
        offset: u64,
        access: AccessKind,
    ) -> Option<(Slot, usize)> {
        let element = self.find(bar, offset, access)?.ok()?;
        let Target::Register(slot) = element.target else { return None };
        let first = self.significance(element.target, offset - element.start);
        let first = usize::try_from(first).ok()?;
        Some((Slot { element: element.index, ..slot }, first))
    }

    pub(crate) fn peek_slot(&self, slot: Slot) -> Peek {
        let register = self.register(slot);
        if let Some(window) = register.window() {
            return self.peek_window(window, slot);
        }
        let stored = if register.is_stored() {
            self.device().load(slot)
        } else {
            register.reset().unwrap_or(0)
        };
        let bits = stored & register.implemented();
        if register.has(Hooks::READ_WITH) { Peek::Unreliable(bits) } else { Peek::Known(bits) }
    }

    pub(crate) fn poke_slot(&mut self, slot: Slot, bits: u64, mask: u64) -> Result<(), PeekError> {
        let register = self.register(slot);
        if !register.is_stored() {
            return Err(PeekError::NoStorage(register.name()));
        }
        let device = self.device_mut();
        let kept = device.load(slot) & !mask;
        device.store(slot, kept | (bits & mask));
        if register.is(RegisterFlags::WATCH) {
            self.show_watched(|_, other| other == slot);
        }
        self.forget_unread(slot);
        Ok(())
    }

    /// Returns the register with a name; `None` if it is the name of anything else.
    pub(super) fn slot_named(&self, name: &str) -> Option<Slot> {
        if self.memory_byte(name).is_some() { None } else { self.element(name) }
    }

    fn resolve(&self, name: &str) -> Result<NamedBits, PeekError> {
        let unknown = || PeekError::Unknown(name.to_owned());
        if let Some(slot) = self.element(name) {
            return Ok(NamedBits { slot, mask: self.register(slot).implemented(), shift: 0 });
        }
        let (register, field) = name.rsplit_once('.').ok_or_else(unknown)?;
        let slot = self.element(register).ok_or_else(unknown)?;
        let mut fields = self.register(slot).fields().iter();
        let field = fields.find(|declared| declared.name == field).ok_or_else(unknown)?;
        Ok(NamedBits { slot, mask: field.mask(), shift: field.shift })
    }

    /// `status`, `ring[3]`, `queues[3].doorbell`, `rings[2].channels[1].head`.
    fn element(&self, name: &str) -> Option<Slot> {
        let descriptor = self.descriptor();
        let (mut block, mut registers, mut name) = (None, descriptor.registers(), name);
        while let Some((outer, inner)) = name.split_once('.') {
            let at = block_element(descriptor, block, outer)?;
            (block, registers, name) = (Some(at), descriptor.blocks()[at.block].registers(), inner);
        }
        let slot = Slot { block, ..register_of(registers, name)? };
        descriptor.is_present(slot).then_some(slot)
    }
}

/// Returns the element of a block that is in no other one, or in `around`.
fn block_element(
    descriptor: &Descriptor,
    around: Option<BlockElement>,
    name: &str,
) -> Option<BlockElement> {
    let (name, element) = name_and_index(name)?;
    let mut blocks = descriptor.blocks_in(around.map(|at| at.block));
    let (index, block) = blocks.find(|(_, block)| block.name() == name)?;
    let count = block.own_count() as usize;
    let before = around.map_or(0, |at| at.element * count);
    (element < count).then_some(BlockElement { block: index, element: before + element })
}

fn register_of(registers: &[Register], name: &str) -> Option<Slot> {
    let (name, element) = name_and_index(name)?;
    let index = registers.iter().position(|register| register.name() == name)?;
    (element < registers[index].count() as usize).then(|| Slot::new(index, element))
}

/// `ring[3]`; a name without an index has element 0.
fn name_and_index(name: &str) -> Option<(&str, usize)> {
    match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
        Some((name, index)) => Some((name, index.parse().ok()?)),
        None => Some((name, 0)),
    }
}
