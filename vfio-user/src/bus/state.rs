//! What the runtime keeps for registers besides their values.

use crate::model::{Descriptor, Register, ResetKind, Slot, Traits, byte_enable};

/// The state of the registers that need some: those with write-once bits, wide ones, and those that
/// are computed when they are read.
///
/// It belongs to the device like the values of its registers, and is reset with them.
#[derive(Debug)]
pub(crate) struct States {
    /// Where the elements of a register start in `elements`, by its number.
    starts: Box<[usize]>,
    elements: Box<[State]>,
}

/// The state of one element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The write-once bits that have been written since the last reset.
    pub(crate) written: u64,
    /// What was written to a part of a wide register, and waits for the other parts.
    pub(crate) latch: Latch,
    /// What was not read yet of a register that was read in part.
    pub(crate) unread: Latch,
}

/// Bytes of a register that wait: to be stored, or to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latch {
    pub(crate) value: u64,
    /// The bits of those bytes.
    pub(crate) enable: u64,
}

impl States {
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
        States { starts, elements: vec![State::default(); len].into() }
    }

    /// The state of an element; only of a register that has some.
    pub(crate) fn of(&mut self, descriptor: &Descriptor, slot: Slot) -> &mut State {
        &mut self.elements[self.place(descriptor, slot)]
    }

    /// The same, to look at.
    pub(crate) fn get(&self, descriptor: &Descriptor, slot: Slot) -> &State {
        &self.elements[self.place(descriptor, slot)]
    }

    fn place(&self, descriptor: &Descriptor, slot: Slot) -> usize {
        let in_earlier_blocks = match slot.block {
            Some(at) => at.index * descriptor.register(slot).count() as usize,
            None => 0,
        };
        self.starts[descriptor.number(slot)] + in_earlier_blocks + slot.index
    }

    /// Forgets what a reset forgets. Half of a write, or of a read, survives none.
    pub(crate) fn reset(&mut self, descriptor: &Descriptor, kind: ResetKind) {
        for (register, slot) in descriptor.slots_with(Register::has_state) {
            let state = self.of(descriptor, slot);
            let written = if register.survives(kind) { state.written } else { 0 };
            *state = State { written, ..State::default() };
        }
    }
}

impl State {
    /// Whether a guest can have brought a register there.
    pub(crate) fn can_be_of(&self, register: &Register) -> bool {
        let State { written, latch, unread } = self;
        let waits = register.is(Traits::WIDE) && !register.is_committed_by(latch.enable);
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

    /// Takes bytes out, if all of them wait.
    pub(crate) fn take(&mut self, enable: u64) -> Option<u64> {
        if enable == 0 || enable & !self.enable != 0 {
            return None;
        }
        let taken = self.value & enable;
        *self = Latch { value: self.value & !enable, enable: self.enable & !enable };
        Some(taken)
    }

    /// Whether these are whole bytes of a register.
    fn is_part_of(&self, register: &Register) -> bool {
        let Latch { value, enable } = *self;
        let bytes = (0..u64::from(register.width())).map(|byte| byte_enable(byte, 1));
        let whole_bytes = bytes.filter(|byte| enable & byte != 0).fold(0, |all, byte| all | byte);
        value & !enable == 0 && enable == whole_bytes
    }
}
