//! Which register of a device.

/// Which register, and which element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The block that the register belongs to; `None` for one of the device itself.
    pub block: Option<BlockElement>,
    /// Place of the register in the declaration of the device, or of its block.
    pub register: usize,
    /// Element of an array; 0 for a plain register.
    pub index: usize,
}

/// Which block, and which element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockElement {
    /// Place of the block among those of [`Descriptor::declared_blocks`](crate::Descriptor::declared_blocks).
    pub block: usize,
    /// Element of an array; 0 for a single block.
    pub index: usize,
}

impl Slot {
    /// A register of the device itself.
    pub const fn new(register: usize, index: usize) -> Self {
        Slot { block: None, register, index }
    }

    /// The same register of a block.
    #[must_use]
    pub const fn in_block(mut self, block: usize, index: usize) -> Self {
        self.block = Some(BlockElement { block, index });
        self
    }
}
