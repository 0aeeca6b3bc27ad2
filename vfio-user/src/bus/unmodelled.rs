//! Places of a BAR that are known by name, and have no model.

use std::fmt;

use super::{Bus, trace};
use crate::device::PciDevice;
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

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads from a place without a model, `start` bytes from its first one.
    pub(super) fn read_unmodelled(&mut self, index: usize, start: u64, data: &mut [u8]) {
        let bytes = self.unmodelled.of(index);
        let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..));
        let held = from.and_then(|bytes| bytes.get(..data.len()));
        match held {
            Some(bytes) => data.copy_from_slice(bytes),
            None => data.fill(0),
        }
        self.note_unmodelled(index, start, data, false);
    }

    pub(super) fn write_unmodelled(&mut self, index: usize, start: u64, data: &[u8]) {
        let bytes = self.unmodelled.of_mut(index);
        let from = usize::try_from(start).ok().and_then(|start| bytes.get_mut(start..));
        if let Some(held) = from.and_then(|bytes| bytes.get_mut(..data.len())) {
            held.copy_from_slice(data);
        }
        self.note_unmodelled(index, start, data, true);
    }

    fn note_unmodelled(&mut self, index: usize, start: u64, data: &[u8], is_write: bool) {
        let place = &self.descriptor.unmodelled()[index];
        let offset = place.start() + start;
        let name = PlaceName { device: self.descriptor.name(), place, offset };
        if !self.touches.has_met(index) {
            let verb = if is_write { "written" } else { "read" };
            tracing::info!("{name}: {verb} by the guest, and not modelled");
        }
        self.touches.note_place(index, (self.bar_index, offset), is_write.then_some(data));
        if trace::is_on() {
            trace::unmodelled(&name, data, is_write);
        }
    }
}
