//! Traces of every access, in text.

use std::fmt;
use std::ops::Range;

use tracing::Level;

use super::unmodelled::PlaceName;
use crate::model::{BlockElement, Descriptor, Hooks, Register, ResetKind, ResetScope, Slot, View};

/// Returns whether traces are enabled. While they are not, this is one relaxed load.
#[inline]
pub(super) fn is_on() -> bool {
    tracing::enabled!(Level::TRACE)
}

/// `edu.status`, `edu.ring[3]`, `edu.queues[3].doorbell`, `edu.rings[2].channels[1].head`.
pub(crate) struct RegisterName<'a> {
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) slot: Slot,
}

/// `0x81 (computing, mode=Fast)`: a value, and its fields that are not zero.
pub(super) struct Value<'a> {
    pub(super) register: &'a Register,
    pub(super) bits: u64,
}

/// `edu.status: read 0x81 (computing)`, and the value stored afterwards if it differs.
#[cold]
pub(super) fn read(name: &RegisterName<'_>, register: &Register, bus: u64, effect: Option<u64>) {
    let value = Value { register, bits: bus };
    if let Some(after) = effect {
        let after = Value { register, bits: after };
        tracing::trace!("{name}: read {value} -> {after}");
    } else {
        tracing::trace!("{name}: read {value}");
    }
}

/// `edu.status: 0x80 -> 0x81 (computing)`.
#[cold]
pub(super) fn write(name: &RegisterName<'_>, register: &Register, old: u64, new: u64) {
    let new = Value { register, bits: new };
    tracing::trace!("{name}: {old:#x} -> {new}");
}

/// `edu.kick: <- 0x1`: the value that a hook received instead of the register.
#[cold]
pub(super) fn hand_over(name: &RegisterName<'_>, register: &Register, bits: u64) {
    let value = Value { register, bits };
    tracing::trace!("{name}: <- {value}");
}

/// `edu: soft reset 0`, `edu.queues[3]: reset`: a hook has reset its device, or an element of it.
#[cold]
pub(super) fn reset(descriptor: &Descriptor, scope: ResetScope) {
    let device = descriptor.name();
    match scope {
        ResetScope::Device(ResetKind::Soft(domain)) => {
            tracing::trace!("{device}: soft reset {domain}");
        }
        ResetScope::Device(kind) => tracing::trace!("{device}: reset ({kind:?})"),
        ResetScope::Element(BlockElement { block, element }) => {
            let name = descriptor.blocks()[block].element(element);
            tracing::trace!("{device}.{name}: reset");
        }
    }
}

/// `edu.ticks: read 0x10 (latched)`: a value that an earlier read of another part has latched.
#[cold]
pub(super) fn read_latched(name: &RegisterName<'_>, bits: u64) {
    tracing::trace!("{name}: read {bits:#x} (latched)");
}

/// `edu.address: latched 0x1000`: a part of a wide register that waits for the others.
#[cold]
pub(super) fn latch(name: &RegisterName<'_>, bits: u64) {
    tracing::trace!("{name}: latched {bits:#x}");
}

/// `edu.buffer[0x10..0x20]: written`: bytes of a memory.
#[cold]
pub(super) fn memory(descriptor: &Descriptor, index: usize, range: &Range<usize>, verb: &str) {
    let (device, name) = (descriptor.name(), descriptor.memories()[index].name());
    tracing::trace!("{device}.{name}[{:#x}..{:#x}]: {verb}", range.start, range.end);
}

/// `edu.PHYCTL: written [34, 12]`: bytes of a place without a model, 8 at most.
#[cold]
pub(super) fn unmodelled(name: &PlaceName<'_>, data: &[u8], is_write: bool) {
    let verb = if is_write { "written" } else { "read" };
    let (bytes, rest) = data.split_at(data.len().min(8));
    if rest.is_empty() {
        tracing::trace!("{name}: {verb} {bytes:02x?}");
    } else {
        tracing::trace!("{name}: {verb} {bytes:02x?} and {} more", rest.len());
    }
}

/// `edu.data: <- [34, 12]`: the bytes of an access to a port, in hexadecimal.
#[cold]
pub(super) fn port(name: &RegisterName<'_>, verb: &str, bits: u64, len: u8) {
    let bytes = &bits.to_le_bytes()[..usize::from(len)];
    tracing::trace!("{name}: {verb} {bytes:02x?}");
}

/// `uart.iir: composed 0x1 (received)`: the bits that request an interrupt; of a computed status,
/// those of the register that enables them.
#[cold]
pub(super) fn composed(descriptor: &Descriptor, status: Slot, enable: Option<Slot>, bits: u64) {
    let is_computed = descriptor.register(status).has(Hooks::STATUS_WITH);
    let named = enable.filter(|_| is_computed).unwrap_or(status);
    let value = Value { register: descriptor.register(named), bits };
    tracing::trace!("{}: composed {value}", RegisterName { descriptor, slot: status });
}

/// `gpu.data: read of BAR 0 at 0x40`: a window, before what it reaches.
#[cold]
pub(super) fn window(name: &RegisterName<'_>, verb: &str, view: View) {
    let View { bar, offset, .. } = view;
    tracing::trace!("{name}: {verb} of BAR {bar} at {offset:#x}");
}

/// `edu.notify: kicked`: a write through an eventfd.
#[cold]
pub(super) fn kick(name: &RegisterName<'_>) {
    tracing::trace!("{name}: kicked");
}

impl fmt::Display for RegisterName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = self.descriptor.register(self.slot);
        f.write_str(self.descriptor.name())?;
        if let Some(at) = self.slot.block {
            write!(f, ".{}", self.descriptor.blocks()[at.block].element(at.element))?;
        }
        write!(f, ".{}", register.name())?;
        if register.count() > 1 { write!(f, "[{}]", self.slot.element) } else { Ok(()) }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.bits)?;
        let fields = self.register.fields().iter();
        let set =
            fields.map(|field| (field, field.extract(self.bits))).filter(|(_, bits)| *bits != 0);
        let mut before = " (";
        for (field, bits) in set {
            match (field.width, field.values.name(bits)) {
                (_, Some(value)) => write!(f, "{before}{}={value}", field.name)?,
                (1, None) => write!(f, "{before}{}", field.name)?,
                (_, None) => write!(f, "{before}{}={bits:#x}", field.name)?,
            }
            before = ", ";
        }
        if before == ", " { f.write_str(")") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Values;
    use crate::model::Field;

    const FIELDS: &[Field] = &[
        Field::new("computing", 0, 1),
        Field::new("mode", 4, 3).with_values(Values::named(&[(0, "Off"), (2, "Fast")])),
        Field::new("done", 7, 1),
    ];

    #[test]
    fn fields_that_are_not_zero_are_named() {
        let register = Register::new::<u32>("status", 0).with_fields(FIELDS);
        let text = |bits| Value { register: &register, bits }.to_string();
        assert_eq!(text(0x00), "0x0");
        assert_eq!(text(0x81), "0x81 (computing, done)");
        assert_eq!(text(0x30), "0x30 (mode=0x3)");
        assert_eq!(text(0x21), "0x21 (computing, mode=Fast)");
    }

    #[test]
    fn a_register_without_fields_is_a_number() {
        let register = Register::new::<u32>("scratch", 0);
        assert_eq!(Value { register: &register, bits: 0x81 }.to_string(), "0x81");
    }
}
