//! Fast paths to registers that only store.

use std::ops::Range;

use crate::model::{BlockElement, Slot, StoreOnly};

/// A run of elements of a register that only stores, with all data that an access needs in one
/// cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct FastRun {
    start: u64,
    end: u64,
    store_only: StoreOnly,
    /// For the element at `start`: its element of the array, the register, and the block.
    element: u32,
    register: u32,
    block: u32,
    block_element: u32,
    /// The width of an element, as a power of two.
    shift: u8,
}

const _: () = assert!(size_of::<FastRun>() == 64);

/// A register that only stores, and that contains the whole access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FastAccess<'a> {
    pub(crate) slot: Slot,
    /// The start of the access in the register, in bits.
    pub(crate) shift: u64,
    /// Whether the access covers all of the register.
    pub(crate) is_whole: bool,
    pub(crate) store_only: &'a StoreOnly,
}

impl FastRun {
    /// A path that matches nothing.
    pub(super) const NONE: FastRun = FastRun {
        start: 0,
        end: 0,
        store_only: StoreOnly { readable: 0, writable: 0, is_writable: false },
        element: 0,
        register: 0,
        block: FastRun::NO_BLOCK,
        block_element: 0,
        shift: 0,
    };

    const NO_BLOCK: u32 = u32::MAX;

    /// Creates the path to the elements in a range, from `first` on; `None` for numbers that no
    /// device has.
    pub(super) fn new(
        range: Range<u64>,
        shift: u32,
        first: Slot,
        store_only: StoreOnly,
    ) -> Option<Self> {
        let narrow = |number: usize| u32::try_from(number).ok();
        let (block, block_element) = match first.block {
            Some(at) => (narrow(at.block)?, narrow(at.element)?),
            None => (Self::NO_BLOCK, 0),
        };
        Some(FastRun {
            start: range.start,
            end: range.end,
            store_only,
            element: narrow(first.element)?,
            register: narrow(first.register)?,
            block,
            block_element,
            shift: u8::try_from(shift).ok()?,
        })
    }

    #[inline]
    pub(super) fn contains(&self, offset: u64) -> bool {
        (self.start..self.end).contains(&offset)
    }

    /// Returns the fast path of an access that starts in the run.
    #[inline]
    pub(super) fn fast_access(&self, offset: u64, len: usize) -> Option<FastAccess<'_>> {
        // Elements are naturally aligned.
        let within = offset & ((1 << self.shift) - 1);
        if within + len as u64 > 1 << self.shift {
            return None;
        }
        let (block, element) = (self.block as usize, self.block_element as usize);
        let slot = Slot {
            block: (self.block != Self::NO_BLOCK).then_some(BlockElement { block, element }),
            register: self.register as usize,
            element: self.element as usize
                + usize::try_from((offset - self.start) >> self.shift).ok()?,
        };
        let is_whole = len as u64 == 1 << self.shift;
        Some(FastAccess { slot, shift: within * 8, is_whole, store_only: &self.store_only })
    }
}
