//! Questions that only the device's thread can answer, and the answers: a small part of the whole
//! at a time.

use crate::model::Slot;

/// The most items of an answer.
pub(crate) const PART: usize = 64;

/// A question for the device's thread.
#[derive(Clone, Debug)]
pub enum Question {
    /// The values of registers from this number on, as many as one answer has.
    Registers(u64),
    /// The value of a register, or of a field.
    Peek(String),
    /// A new value for one.
    Poke(String, u64),
    /// Interrupt vectors, from this one on among all.
    Interrupts(u64),
    /// Mapped memory from this address on.
    Dma(u64),
    /// Accessed places without a model, from this one on among all.
    Unmodelled(u64),
    /// The counters that the device's thread has for itself.
    Counters,
}

/// The answer of the device's thread.
#[derive(Debug)]
pub enum Answer {
    /// Values of registers.
    Registers(Vec<(Slot, Value)>),
    /// The value of one register, of a field, or of a byte of a memory.
    Value(Option<Slot>, Value),
    /// The vectors, and whether there are more.
    Interrupts(Vec<super::Vector>, bool),
    /// Mapped memory.
    Dma(Vec<super::Mapping>),
    /// Places without a model.
    Unmodelled(Vec<super::UnmodelledPlace>),
    /// The refused accesses, and the bytes that DMA has read and written.
    Counters(Vec<super::Refused>, (u64, u64)),
    /// The reason why there is no answer.
    Refused(String),
}

/// The value of a register, and whether a read returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The bits.
    pub bits: u64,
    /// Whether they are exact.
    pub is_exact: bool,
}
