//! The reasons why registers do not answer accesses, in text.

use std::fmt;

use super::element::{Silence, Silent};
use super::trace::RegisterName;
use crate::model::{BitsName, Block, ConditionText, Descriptor, Register, RegisterBits, SizesText};

/// `lcr.dlab = 0x1`: the reason why a register does not answer an access of a direction.
pub(super) struct Reason<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) silent: &'a Silent,
    pub(super) is_write: bool,
}

/// `uart.dll`; an element that does not exist has no index.
pub(super) struct Name<'a>(pub(super) &'a Reason<'a>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Silent { slot, reason } = *self.silent;
        let register = self.descriptor.register(slot);
        match reason {
            Silence::Direction if self.is_write => f.write_str("it answers reads only"),
            Silence::Direction => f.write_str("it answers writes only"),
            Silence::Size => {
                let sizes = SizesText(register.access_sizes());
                write!(f, "it answers accesses of {sizes} bytes only")
            }
            Silence::Condition(value) => {
                let condition = register.condition();
                let condition = condition.as_ref();
                let family = self.family();
                let text = condition.map(|condition| ConditionText { condition, family });
                let text = text.map(|text| text.to_string()).unwrap_or_default();
                write!(f, "it answers when {text}, and that is {value:#x}")
            }
            Silence::Index(index) => {
                write_index(register.selector(), register.count(), index, self.family(), f)
            }
            Silence::BlockIndex(block, index) => {
                let block = &self.descriptor.blocks()[block];
                let around = block.enclosing().map(|around| &self.descriptor.blocks()[around]);
                let family = around.map_or(self.descriptor.registers(), Block::registers);
                write_index(block.selector(), block.own_count(), index, family, f)
            }
            Silence::Absent => f.write_str("this device does not have it"),
        }
    }
}

impl Reason<'_> {
    /// The registers that are declared together with the one that is silent.
    fn family(&self) -> &'static [Register] {
        match self.silent.slot.block {
            Some(at) => self.descriptor.blocks()[at.block].registers(),
            None => self.descriptor.registers(),
        }
    }
}

/// Writes the index that a selector, a register of the `family`, holds.
fn write_index(
    selector: Option<RegisterBits>,
    count: u32,
    index: u64,
    family: &[Register],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let Some(bits) = selector else { return Ok(()) };
    let name = BitsName { bits: &bits, family };
    write!(f, "{name} is {index:#x}, and there are {count} elements")
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason { descriptor, silent, .. } = *self.0;
        let slot = silent.slot;
        if !silent.is_index() {
            return write!(f, "{}", RegisterName { descriptor, slot });
        }
        f.write_str(descriptor.name())?;
        if let Some(at) = slot.block {
            write!(f, ".{}", descriptor.blocks()[at.block].path())?;
        }
        write!(f, ".{}", descriptor.register(slot).name())
    }
}
