//! Pseudo-random numbers that are the same in every run.

use std::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// Returns a number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// Returns a time from zero to some minutes, short ones as often as long ones.
    pub(super) fn time(&mut self) -> Duration {
        let shift = 26 + self.below(38);
        Duration::from_nanos(self.bits() >> shift)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let place = self.below((from.len() as u64).max(1));
        from.get(usize::try_from(place).ok()?)
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let bytes = std::iter::repeat_with(|| self.bits().to_le_bytes()[0]);
        bytes.take(len).collect()
    }
}
