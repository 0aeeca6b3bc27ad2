//! The MSI-X table in a BAR (PCI Local Bus Specification 3.0, 6.8.2).

/// The contents of the MSI-X table that a guest has written.
///
/// Delivery is by eventfd, so addresses and data do not determine the destination of an interrupt.
/// Masks apply once the table has been written: clients such as QEMU do not forward it.
#[derive(Debug)]
pub(crate) struct MsixTable {
    /// Two per vector: address; data and control.
    quadwords: Box<[u64]>,
    /// Whether a client has written the table since the last reset.
    touched: bool,
}

/// Vector control, bit 0: the vector is masked. The only bit of its doubleword.
const MASKED: u64 = 1 << 32;
/// The writable bits of the address: messages go to doublewords.
const ADDRESS: u64 = !0b11;
/// All of the data, and the mask bit.
const DATA_AND_CONTROL: u64 = 0xffff_ffff | MASKED;

impl MsixTable {
    pub(crate) fn new(vectors: u16) -> Self {
        let mut table =
            MsixTable { quadwords: vec![0; usize::from(vectors) * 2].into(), touched: false };
        table.reset();
        table
    }

    /// Masks all vectors, as after power-on.
    pub(crate) fn reset(&mut self) {
        for entry in self.quadwords.chunks_exact_mut(2) {
            entry.copy_from_slice(&[0, MASKED]);
        }
        self.touched = false;
    }

    /// Returns the whole table.
    pub(crate) fn quadwords(&self) -> &[u64] {
        &self.quadwords
    }

    /// Returns a table of the same size with these contents, if a guest can have written them.
    pub(crate) fn with(&self, quadwords: &[u64], touched: bool) -> Option<Self> {
        let zeros = vec![0; self.quadwords.len()].into();
        let mut table = MsixTable { quadwords: zeros, touched };
        if quadwords.len() != self.quadwords.len() {
            return None;
        }
        for (place, quadword) in quadwords.iter().enumerate() {
            table.store(place, *quadword, u64::MAX);
        }
        (*table.quadwords == *quadwords).then_some(table)
    }

    pub(crate) fn read(&self, quadword: usize) -> u64 {
        self.quadwords[quadword]
    }

    pub(crate) fn write(&mut self, quadword: usize, value: u64, enable: u64) {
        self.touched = true;
        self.store(quadword, value, enable);
    }

    fn store(&mut self, quadword: usize, value: u64, enable: u64) {
        let writable = if quadword.is_multiple_of(2) { ADDRESS } else { DATA_AND_CONTROL } & enable;
        let stored = &mut self.quadwords[quadword];
        *stored = (*stored & !writable) | (value & writable);
    }

    /// Returns whether a client has written the table since the last reset.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Returns which vectors are masked, once the table has been written.
    pub(crate) fn masks(&self) -> Option<Vec<bool>> {
        let masks = self.quadwords.chunks_exact(2).map(|entry| entry[1] & MASKED != 0);
        self.touched.then(|| masks.collect())
    }

    /// Returns the vector that a quadword belongs to, and whether it is masked.
    pub(crate) fn mask(&self, quadword: usize) -> (u32, bool) {
        let vector = quadword / 2;
        let masked = self.quadwords[vector * 2 + 1] & MASKED != 0;
        (u32::try_from(vector).unwrap_or(u32::MAX), masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_start_masked_and_reserved_bits_stay_zero() {
        let mut table = MsixTable::new(2);
        assert_eq!(table.read(3), MASKED);
        table.write(2, u64::MAX, u64::MAX);
        table.write(3, u64::MAX, 0xffff_0000_0000_ffff);
        assert_eq!(table.read(2), !0b11);
        assert_eq!(table.read(3), MASKED | 0xffff);
        table.write(3, 0, 0xff << 32);
        assert_eq!(table.read(3), 0xffff);
    }
}
