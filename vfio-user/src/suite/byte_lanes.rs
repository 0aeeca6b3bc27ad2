//! The parts of registers that accesses reach, by the rules of BARs.

use std::fmt;
use std::ops::Range;

use crate::function::CONFIG_BAR;
use crate::layout::{self, CONFIG};
use crate::model::{Bar, Descriptor, Unaligned};

/// Bytes of a register that one access can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteLanes {
    /// First byte within the register.
    pub(super) first: u8,
    pub(super) len: u8,
}

impl ByteLanes {
    pub(super) fn mask(self) -> u64 {
        layout::width_mask(self.len.into()) << (self.first * 8)
    }

    /// Returns their range in the register.
    pub(super) fn bytes(self) -> Range<usize> {
        usize::from(self.first)..usize::from(self.first + self.len)
    }
}

impl fmt::Display for ByteLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.bytes();
        write!(f, "bytes {start}..{end}")
    }
}

/// Returns the access rules of a BAR or of configuration space.
pub(super) fn rules(descriptor: &Descriptor, bar: u8) -> Option<Bar> {
    if bar == CONFIG { Some(CONFIG_BAR) } else { descriptor.bars()[usize::from(bar)] }
}

/// Whether a BAR accepts an access of a processor's size without splitting it.
pub(super) fn accepts(bar: &Bar, offset: u64, len: u64) -> bool {
    let sizes = bar.sizes_at(offset);
    let is_size = u64::from(sizes.smallest()) <= len && len <= u64::from(sizes.largest());
    is_size && (bar.unaligned() == Unaligned::Split || offset.is_multiple_of(len))
}

/// Returns the accesses that reach a register alone and are accepted, by size.
pub(super) fn lanes(width: u8, is_accepted: impl Fn(ByteLanes) -> bool) -> Vec<ByteLanes> {
    let sizes = [1, 2, 4, 8].into_iter().filter(|len| *len <= width);
    let lanes = sizes.flat_map(|len| (0..=width - len).map(move |first| ByteLanes { first, len }));
    lanes.filter(|lane| is_accepted(*lane)).collect()
}
