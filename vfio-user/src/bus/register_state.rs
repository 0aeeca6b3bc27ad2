//! The runtime's state of registers besides their values.

use crate::model::{Descriptor, Register, RegisterFlags, ResetScope, Slot, byte_enable};

/// The state of registers with write-once bits, of wide registers, and of registers that are
/// computed when they are read.
///
/// It belongs to the device like the values of its registers, and is reset with them.
#[derive(Debug)]
pub(crate) struct RegisterStates {
    /// The start of a register's elements in `elements`, by the register's number.
    starts: Box<[usize]>,
    elements: Box<[RegisterState]>,
}

/// The state of one element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegisterState {
    /// The write-once bits that have been written since the last reset.
    pub(crate) written: u64,
    /// The bytes written to a part of a wide register, which wait for the other parts.
    pub(crate) latch: Latch,
    /// The bytes of a partly read register that have not been read yet.
    pub(crate) unread: Latch,
}

/// Bytes of a register that wait to be stored or to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latch {
    pub(crate) value: u64,
    /// The bits of those bytes.
    pub(crate) enable: u64,
}

impl RegisterStates {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let mut counts = vec![0; descriptor.numbers()];
        for (_, slot) in descriptor.slots_with(Register::has_state) {
            counts[descriptor.number(slot)] += 1;
        }
        let mut len = 0;
        let starts = counts.iter().map(|count| {
            len += count;
            len - count
        });
        let starts = starts.collect();
        RegisterStates { starts, elements: vec![RegisterState::default(); len].into() }
    }

    /// Returns the state of an element. The register must have state.
    pub(crate) fn of(&mut self, descriptor: &Descriptor, slot: Slot) -> &mut RegisterState {
        &mut self.elements[self.position(descriptor, slot)]
    }

    /// Returns the state of an element, for inspection.
    pub(crate) fn get(&self, descriptor: &Descriptor, slot: Slot) -> &RegisterState {
        &self.elements[self.position(descriptor, slot)]
    }

    fn position(&self, descriptor: &Descriptor, slot: Slot) -> usize {
        let in_earlier_blocks = match slot.block {
            Some(at) => at.element * descriptor.register(slot).count() as usize,
            None => 0,
        };
        self.starts[descriptor.number(slot)] + in_earlier_blocks + slot.element
    }

    /// Clears the state that a reset clears. Half of a write, or of a read, survives no reset of
    /// the device.
    pub(crate) fn reset(&mut self, descriptor: &Descriptor, scope: ResetScope) {
        for (_, slot) in descriptor.slots_within(scope, Register::has_state) {
            let is_reset = descriptor.is_reset(slot, scope);
            let state = self.of(descriptor, slot);
            let written = if is_reset { 0 } else { state.written };
            *state = RegisterState { written, ..RegisterState::default() };
        }
    }
}

impl RegisterState {
    /// Returns whether accesses of a guest can lead to this state of a register.
    pub(crate) fn can_be_of(&self, register: &Register) -> bool {
        let RegisterState { written, latch, unread } = self;
        let waits = register.is(RegisterFlags::WIDE) && !register.is_committed_by(latch.enable);
        let is_part = unread.enable != register.all_bits();
        let is_unread = register.latches_reads() && is_part;
        written & !register.access().once() == 0
            && latch.is_part_of(register)
            && unread.is_part_of(register)
            && (latch.enable == 0 || waits)
            && (unread.enable == 0 || is_unread)
    }
}

impl From<(u64, u64)> for Latch {
    fn from((value, enable): (u64, u64)) -> Self {
        Latch { value, enable }
    }
}

impl Latch {
    /// Adds bytes to those that wait.
    pub(crate) fn add(&mut self, value: u64, enable: u64) {
        self.value = (self.value & !enable) | (value & enable);
        self.enable |= enable;
    }

    /// Removes bytes, if all of them wait.
    pub(crate) fn take(&mut self, enable: u64) -> Option<u64> {
        if enable == 0 || enable & !self.enable != 0 {
            return None;
        }
        let taken = self.value & enable;
        *self = Latch { value: self.value & !enable, enable: self.enable & !enable };
        Some(taken)
    }

    /// Returns whether the bits are whole bytes of a register.
    fn is_part_of(&self, register: &Register) -> bool {
        let Latch { value, enable } = *self;
        let bytes = (0..u64::from(register.width())).map(|byte| byte_enable(byte, 1));
        let whole_bytes = bytes.filter(|byte| enable & byte != 0).fold(0, |all, byte| all | byte);
        value & !enable == 0 && enable == whole_bytes
    }
}
