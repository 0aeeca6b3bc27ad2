//! Vital product data (PCI Local Bus Specification 3.0, appendix I): a memory behind two registers.

use crate::model::spec::vpd;
use crate::model::{CapabilityKind, Descriptor};

/// The capability, and the initial contents of its memory.
#[derive(Debug)]
pub(super) struct Vpd {
    /// The offset of the capability.
    at: usize,
    initial: Box<[u8]>,
    /// The bits that software may write; bytes beyond the end of this mask are read-only.
    writable: Box<[u8]>,
}

impl Vpd {
    pub(super) fn of(descriptor: &Descriptor) -> Option<Self> {
        let places = 0..descriptor.capability_count();
        places.into_iter().find_map(|place| {
            let listed = descriptor.capability(place);
            let at = usize::try_from(descriptor.capability_span(place).0).ok()?;
            (listed.capability.kind() == CapabilityKind::Vpd).then(|| Vpd {
                at,
                initial: listed.bytes.into(),
                writable: listed.writable.into(),
            })
        })
    }

    /// Returns the initial contents of the memory.
    pub(super) fn initial(&self) -> Box<[u8]> {
        self.initial.clone()
    }

    /// Returns whether the memory can have these contents.
    pub(super) fn can_hold(&self, memory: &[u8]) -> bool {
        let differs = |(place, (one, other)): (usize, (&u8, &u8))| {
            (one ^ other) & !self.writable.get(place).unwrap_or(&0) != 0
        };
        memory.len() == self.initial.len()
            && !memory.iter().zip(&self.initial).enumerate().any(differs)
    }

    /// Returns whether a write reaches the byte whose flag starts a transfer.
    pub(super) fn is_started_by(&self, offset: usize, len: usize) -> bool {
        (offset..offset + len).contains(&(self.at + vpd::ADDRESS + 1))
    }

    /// Transfers four bytes from the memory to the data register or back, and inverts the flag.
    /// Reads beyond the memory return zeros.
    pub(super) fn transfer(&self, bytes: &mut [u8], memory: &mut [u8]) {
        let [low, high] = [bytes[self.at + vpd::ADDRESS], bytes[self.at + vpd::ADDRESS + 1]];
        let start = usize::from(u16::from_le_bytes([low, high]) & vpd::ADDRESS_BITS);
        let data = &mut bytes[self.at + vpd::DATA..self.at + vpd::DATA + 4];
        let is_write = high & vpd::FLAG != 0;
        for (at, byte) in (start..).zip(data) {
            match memory.get_mut(at) {
                Some(stored) if is_write => {
                    let writable = self.writable.get(at).unwrap_or(&0);
                    *stored = (*stored & !writable) | (*byte & writable);
                }
                stored if !is_write => *byte = stored.map_or(0, |stored| *stored),
                _ => {}
            }
        }
        bytes[self.at + vpd::ADDRESS + 1] ^= vpd::FLAG;
    }
}
