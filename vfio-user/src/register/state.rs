//! What the runtime keeps for registers besides their values.

use super::Register;
use crate::device::{ResetKind, Slot};

/// The state of the registers that need some: those with write-once bits, and wide ones.
///
/// It belongs to the device like the values of its registers, and is reset with them.
#[derive(Debug)]
pub(crate) struct States {
    /// Where the elements of a register start in `elements`.
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
    pub(crate) fn new(registers: &[Register]) -> Self {
        let mut len = 0;
        let starts = registers.iter().map(|register| {
            let start = len;
            len += if register.has_state() { register.count() as usize } else { 0 };
            start
        });
        let starts = starts.collect();
        States { starts, elements: vec![State::default(); len].into() }
    }

    /// The state of an element; only of a register that has some.
    pub(crate) fn of(&mut self, slot: Slot) -> &mut State {
        &mut self.elements[self.starts[slot.register] + slot.index]
    }

    /// Forgets what a reset forgets. Nobody remembers half of a write.
    pub(crate) fn reset(&mut self, registers: &[Register], kind: ResetKind) {
        for (register, start) in registers.iter().zip(&self.starts) {
            if !register.has_state() {
                continue;
            }
            for state in &mut self.elements[*start..][..register.count() as usize] {
                let written = if register.survives(kind) { state.written } else { 0 };
                *state = State { written, latch: Latch::default() };
            }
        }
    }
}

impl Latch {
    /// Adds bytes to those that wait.
    pub(crate) fn add(&mut self, value: u64, enable: u64) {
        self.value = (self.value & !enable) | (value & enable);
        self.enable |= enable;
    }
}
