//! Places of a BAR that are known by name, and have no model.

use std::fmt;

use crate::model::{Descriptor, UnmodelledRange};

/// The bytes that guests have written to places without a model.
///
/// They belong to the device like the values of its registers: they are reset with them, and
/// migrate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnmodelledBytes(Box<[Box<[u8]>]>);

impl UnmodelledBytes {
    /// Creates the zeros of a new device. Pages that nothing is written to take no memory.
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let places = descriptor.unmodelled().iter();
        let bytes = places.map(|place| {
            let size = if place.is_stored() { place.size() } else { 0 };
            vec![0; usize::try_from(size).unwrap_or(0)].into()
        });
        UnmodelledBytes(bytes.collect())
    }

    pub(crate) fn reset(&mut self, descriptor: &Descriptor) {
        if self.0.iter().flatten().any(|byte| *byte != 0) {
            *self = Self::new(descriptor);
        }
    }

    /// Returns the bytes of a place; none of one that reads zero.
    pub(crate) fn of(&self, place: usize) -> &[u8] {
        &self.0[place]
    }

    /// Returns the bytes of a place, to change them.
    pub(crate) fn of_mut(&mut self, place: usize) -> &mut [u8] {
        &mut self.0[place]
    }
}

/// `nic.PHYCTL`, `nic.DEBUG + 0x10`: a byte of a place.
pub(crate) struct PlaceName<'a> {
    pub(crate) device: &'a str,
    pub(crate) place: &'a UnmodelledRange,
    /// The offset in the BAR.
    pub(crate) offset: u64,
}

impl fmt::Display for PlaceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlaceName { device, place, offset } = *self;
        write!(f, "{device}.{}", place.name())?;
        match offset - place.start() {
            0 => Ok(()),
            within => write!(f, " + {within:#x}"),
        }
    }
}
