//! The rules of composed interrupts, applied to a whole declaration.

use super::Descriptor;
use crate::layout::{self, Check, LayoutError};
use crate::model::{ComposedInterrupt, Register, Trigger};

impl Descriptor {
    /// Checks that the registers that test and clear registers change are declared.
    pub(super) fn check_effects(&self) -> Check<'static> {
        let effects = |one: &Register| [one.sets(), one.clears()];
        let mut indices = self.registers.iter().flat_map(effects).flatten();
        match indices.find(|register_index| *register_index >= self.registers.len()) {
            Some(register_index) => {
                Err(LayoutError::IntrMissing { register_index: register_index as u64 })
            }
            None => Ok(()),
        }
    }

    /// I01 to I03, X07.
    pub(super) fn check_intr(&self, index: usize) -> Check<'static> {
        self.check_intr_registers(index)?;
        self.check_intr_vector(index)
    }

    /// I01, I02.
    pub(super) fn check_intr_registers(&self, index: usize) -> Check<'static> {
        let ComposedInterrupt { status, enable, mask, .. } = self.composed[index];
        for register_index in [Some(status), enable, mask].into_iter().flatten() {
            if register_index >= self.registers.len() {
                return Err(LayoutError::IntrMissing { register_index: register_index as u64 });
            }
        }
        for register_index in [enable, mask].into_iter().flatten() {
            self.check_intr_width(index, register_index)?;
        }
        self.check_intr_trigger(index)
    }

    /// I01: enable and mask registers are as wide as the status.
    #[doc(hidden)]
    pub const fn check_intr_width(&self, index: usize, register_index: usize) -> Check<'static> {
        let (status, other) =
            (&self.registers[self.composed[index].status], &self.registers[register_index]);
        let (width, status_width) = (other.width() as u64, status.width() as u64);
        layout::intr_width(other.name(), width, status.name(), status_width)
    }

    /// I02: software can clear the bits of an event, and only the device those of a level.
    #[doc(hidden)]
    pub const fn check_intr_trigger(&self, index: usize) -> Check<'static> {
        let ComposedInterrupt { status, trigger, .. } = self.composed[index];
        let register = &self.registers[status];
        match trigger {
            Trigger::Event => {
                let is_clearable = register.is_clearable() || self.has_clear_register(status);
                layout::intr_event(register.name(), is_clearable)
            }
            Trigger::Level => layout::intr_level(register.name(), register.access().writable()),
        }
    }

    const fn has_clear_register(&self, status: usize) -> bool {
        let mut i = 0;
        while i < self.registers.len() {
            if let Some(register_index) = self.registers[i].clears()
                && register_index == status
            {
                return true;
            }
            i += 1;
        }
        false
    }

    /// I03, X07: the interrupt exists.
    #[doc(hidden)]
    pub const fn check_intr_vector(&self, index: usize) -> Check<'static> {
        let ComposedInterrupt { status, vector, .. } = self.composed[index];
        layout::intr_vector(self.registers[status].name(), vector as u64, self.sources())
    }

    /// I03, X07: the interrupts exist for all elements of a block; the last element has the highest
    /// numbers.
    #[doc(hidden)]
    pub const fn check_block_vectors(&self, index: usize) -> Check<'static> {
        let block = &self.blocks[index];
        let last = block.count().saturating_sub(1) as usize;
        let mut i = 0;
        while i < block.interrupts().len() {
            let intr = &block.interrupts()[i];
            let status = block.registers()[intr.status].name();
            let vector = block.vector_of(intr, last) as u64;
            if let Err(error) = layout::intr_vector(status, vector, self.sources()) {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }

    /// Returns whether a BAR is shared; false if there is no such BAR.
    pub(crate) const fn has_shared(&self, bar: u8) -> bool {
        if bar as usize >= self.bars.len() {
            return false;
        }
        match &self.bars[bar as usize] {
            Some(bar) => bar.is_shared(),
            None => false,
        }
    }

    /// Returns the number of interrupts.
    pub(crate) const fn sources(&self) -> u64 {
        let intx = self.intx as u16;
        let messages = match self.msix {
            Some(msix) if msix.vectors > self.msi => msix.vectors,
            _ => self.msi,
        };
        if messages > intx { messages as u64 } else { intx as u64 }
    }
}
