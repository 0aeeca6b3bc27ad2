//! Laying out a configuration space.

/// A configuration space that is being laid out.
pub(super) struct ConfigLayout {
    pub(super) bytes: Vec<u8>,
    pub(super) writable: Vec<u8>,
    pub(super) one_clears: Vec<u8>,
}

impl ConfigLayout {
    /// Zeros that nobody can write.
    pub(super) fn new(size: usize) -> Self {
        let zeros = || vec![0; size];
        ConfigLayout { bytes: zeros(), writable: zeros(), one_clears: zeros() }
    }

    /// Sets the value of a field.
    pub(super) fn set<const N: usize>(&mut self, offset: usize, value: [u8; N]) {
        self.bytes[offset..offset + N].copy_from_slice(&value);
    }

    /// Lets software write the bits of `mask`.
    pub(super) fn let_write<const N: usize>(&mut self, offset: usize, mask: [u8; N]) {
        self.writable[offset..offset + N].copy_from_slice(&mask);
    }

    /// Lets software clear the bits of `mask` by writing ones.
    pub(super) fn let_clear<const N: usize>(&mut self, offset: usize, mask: [u8; N]) {
        self.one_clears[offset..offset + N].copy_from_slice(&mask);
    }

    pub(super) fn get_u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.bytes[offset], self.bytes[offset + 1]])
    }
}
