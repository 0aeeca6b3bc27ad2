//! Numbers that a seed determines.

/// The generator `SplitMix64`.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Returns the generator of a part.
    pub(crate) fn fork(&self, part: u64) -> Self {
        let mut mixed = Random(self.0 ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        Random(mixed.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Returns an index below a length.
    #[expect(clippy::cast_possible_truncation, reason = "below a length")]
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Returns fewer bytes than this.
    pub(crate) fn bytes(&mut self, limit: usize) -> Vec<u8> {
        (0..self.index(limit)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
