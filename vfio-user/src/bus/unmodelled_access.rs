//! Accesses to places without a model.

use super::unmodelled::PlaceName;
use super::{Bus, trace};
use crate::device::PciDevice;

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
