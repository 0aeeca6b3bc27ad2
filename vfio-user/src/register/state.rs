//! What the runtime keeps for registers besides their values.

use super::{Register, Traits, byte_enable};
use crate::device::{Descriptor, ResetKind, Slot};

/// The state of the registers that need some: those with write-once bits, and wide ones.
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
    /// What was written to a part of a wide register, and waits for the last part.
    pub(crate) latch: Latch,
}

/// Bytes of a register that have been written but not stored.
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

    /// Forgets what a reset forgets. Nobody remembers half of a write.
    pub(crate) fn reset(&mut self, descriptor: &Descriptor, kind: ResetKind) {
        for (register, slot) in descriptor.slots_with(Register::has_state) {
            let state = self.of(descriptor, slot);
            let written = if register.survives(kind) { state.written } else { 0 };
            *state = State { written, latch: Latch::default() };
        }
    }
}

impl State {
    /// Whether a guest can have brought a register there.
    pub(crate) fn can_be_of(&self, register: &Register) -> bool {
        let Latch { value, enable } = self.latch;
        let last = byte_enable(u64::from(register.width()) - 1, 1);
        let bytes = (0..8).map(|byte| byte_enable(byte, 1));
        let whole_bytes = bytes.filter(|byte| enable & byte != 0).fold(0, |all, byte| all | byte);
        let waits = register.is(Traits::WIDE) && enable & last == 0;
        self.written & !register.access().once() == 0
            && value & !enable == 0
            && enable == whole_bytes
            && (enable == 0 || waits)
    }
}

impl Latch {
    /// Adds bytes to those that wait.
    pub(crate) fn add(&mut self, value: u64, enable: u64) {
        self.value = (self.value & !enable) | (value & enable);
        self.enable |= enable;
    }
}
