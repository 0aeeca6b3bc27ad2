//! The identification of a register or a timer of a device.

/// A register or a timer, and an element of it if it is an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The block that it belongs to; `None` for one of the device itself.
    pub block: Option<BlockElement>,
    /// The index of the register or timer in the declaration of the device, or of its block.
    pub register: usize,
    /// The element of an array; 0 for a single one.
    pub element: usize,
}

/// A block, and an element of it if it is an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockElement {
    /// The index of the block in
    /// [`Descriptor::blocks`](crate::declaration::Descriptor::blocks).
    pub block: usize,
    /// The element of an array; 0 for a single block.
    pub element: usize,
}

impl Slot {
    /// Names a register or a timer of the device itself.
    pub const fn new(register: usize, element: usize) -> Self {
        Slot { block: None, register, element }
    }

    /// Names the same register or timer of a block.
    #[must_use]
    pub const fn in_block(mut self, block: usize, element: usize) -> Self {
        self.block = Some(BlockElement { block, element });
        self
    }
}
