//! The layout of a configuration space.

use crate::model::ResetKind;

/// The initial contents of a configuration space, and the behaviour of each bit.
#[derive(Debug)]
pub(super) struct ConfigLayout {
    pub(super) bytes: Vec<u8>,
    /// Bits that take the written value.
    pub(super) writable: Vec<u8>,
    /// Bits that software clears by writing ones.
    pub(super) one_clears: Vec<u8>,
    /// Bits that the device changes and software cannot.
    pub(super) volatile: Vec<u8>,
    /// Bits that each kind of reset keeps.
    kept: [Vec<u8>; 3],
}

/// Sticky bits, which no reset changes.
pub(super) const STICKY: &[ResetKind] =
    &[ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState];

/// Bits that belong to the link rather than to the function (PCI Express Base Specification 5.0,
/// 6.6.2): a function-level reset keeps them.
pub(super) const OF_LINK: &[ResetKind] = &[ResetKind::FunctionLevel, ResetKind::PowerState];

impl ConfigLayout {
    /// Creates a space of read-only zeros.
    pub(super) fn new(size: usize) -> Self {
        let zeros = || vec![0; size];
        ConfigLayout {
            bytes: zeros(),
            writable: zeros(),
            one_clears: zeros(),
            volatile: zeros(),
            kept: [zeros(), zeros(), zeros()],
        }
    }

    /// Sets the value of a field.
    pub(super) fn set<const N: usize>(&mut self, offset: usize, value: [u8; N]) {
        self.bytes[offset..offset + N].copy_from_slice(&value);
    }

    /// Makes the bits of `mask` writable by software.
    pub(super) fn let_write<const N: usize>(&mut self, offset: usize, mask: [u8; N]) {
        self.writable[offset..offset + N].copy_from_slice(&mask);
    }

    /// Makes the bits of `mask` write-one-to-clear. The device sets them.
    pub(super) fn let_clear<const N: usize>(&mut self, offset: usize, mask: [u8; N]) {
        self.one_clears[offset..offset + N].copy_from_slice(&mask);
    }

    /// Declares that the device changes the bits of `mask`, which software cannot change.
    pub(super) fn let_change<const N: usize>(&mut self, offset: usize, mask: [u8; N]) {
        self.volatile[offset..offset + N].copy_from_slice(&mask);
    }

    /// Makes resets keep the bits of `mask`.
    pub(super) fn keep<const N: usize>(
        &mut self,
        offset: usize,
        mask: [u8; N],
        over: &[ResetKind],
    ) {
        for kind in over {
            let Some(index) = index(*kind) else { continue };
            let kept = &mut self.kept[index][offset..offset + N];
            kept.iter_mut().zip(mask).for_each(|(kept, mask)| *kept |= mask);
        }
    }

    pub(super) fn get_u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.bytes[offset], self.bytes[offset + 1]])
    }

    /// Returns the bits of a byte that can ever differ from their initial value.
    pub(super) fn changeable(&self, at: usize) -> u8 {
        self.writable[at] | self.one_clears[at] | self.volatile[at]
    }

    /// Returns the bits of a byte that a reset keeps.
    pub(super) fn kept(&self, at: usize, kind: ResetKind) -> u8 {
        index(kind).map_or(u8::MAX, |index| self.kept[index][at])
    }
}

/// Returns the index of a kind of reset; `None` for soft resets, which keep configuration space.
fn index(kind: ResetKind) -> Option<usize> {
    match kind {
        ResetKind::Device => Some(0),
        ResetKind::FunctionLevel => Some(1),
        ResetKind::PowerState => Some(2),
        ResetKind::Soft(_) => None,
    }
}
