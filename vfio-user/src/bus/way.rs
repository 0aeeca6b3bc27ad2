//! Fast paths to registers that only store.

use std::ops::Range;

use crate::model::{BlockElement, Simple, Slot};

/// A run of elements of a register that only stores, with all data that an access needs in one
/// cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Way {
    start: u64,
    end: u64,
    simple: Simple,
    /// For the element at `start`: its index in the array, the register, and the block.
    index: u32,
    register: u32,
    block: u32,
    block_index: u32,
    /// The width of an element, as a power of two.
    shift: u8,
}

const _: () = assert!(size_of::<Way>() == 64);

/// A register that only stores, and that contains the whole access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shortcut<'a> {
    pub(crate) slot: Slot,
    /// The start of the access in the register, in bits.
    pub(crate) shift: u64,
    /// Whether the access covers all of the register.
    pub(crate) is_whole: bool,
    pub(crate) simple: &'a Simple,
}

impl Way {
    /// A path that matches nothing.
    pub(super) const NONE: Way = Way {
        start: 0,
        end: 0,
        simple: Simple { readable: 0, writable: 0, is_writable: false },
        index: 0,
        register: 0,
        block: Way::NO_BLOCK,
        block_index: 0,
        shift: 0,
    };

    const NO_BLOCK: u32 = u32::MAX;

    /// Creates the path to the elements in a range, from `first` on; `None` for numbers that no
    /// device has.
    pub(super) fn new(range: Range<u64>, shift: u32, first: Slot, simple: Simple) -> Option<Self> {
        let narrow = |number: usize| u32::try_from(number).ok();
        let (block, block_index) = match first.block {
            Some(at) => (narrow(at.block)?, narrow(at.index)?),
            None => (Self::NO_BLOCK, 0),
        };
        Some(Way {
            start: range.start,
            end: range.end,
            simple,
            index: narrow(first.index)?,
            register: narrow(first.register)?,
            block,
            block_index,
            shift: u8::try_from(shift).ok()?,
        })
    }

    #[inline]
    pub(super) fn contains(&self, offset: u64) -> bool {
        (self.start..self.end).contains(&offset)
    }

    /// Returns the fast path of an access that starts in the run.
    #[inline]
    pub(super) fn shortcut(&self, offset: u64, len: usize) -> Option<Shortcut<'_>> {
        // Elements are naturally aligned.
        let within = offset & ((1 << self.shift) - 1);
        if within + len as u64 > 1 << self.shift {
            return None;
        }
        let (block, index) = (self.block as usize, self.block_index as usize);
        let slot = Slot {
            block: (self.block != Self::NO_BLOCK).then_some(BlockElement { block, index }),
            register: self.register as usize,
            index: self.index as usize
                + usize::try_from((offset - self.start) >> self.shift).ok()?,
        };
        let is_whole = len as u64 == 1 << self.shift;
        Some(Shortcut { slot, shift: within * 8, is_whole, simple: &self.simple })
    }
}
