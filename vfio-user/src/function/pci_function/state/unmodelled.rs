//! The bytes of places without a model.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::PciFunction;
use crate::bus::UnmodelledBytes;
use crate::device::PciDevice;
use crate::migration::{NO_NAMES, StateError, StateReader, StateWriter};

/// Present only if there are bytes that are not zero.
const UNMODELLED: &str = "unmodelled";

impl<D: PciDevice> PciFunction<D> {
    /// Saves the bytes by the names of their places, without zeros at the end.
    pub(super) fn save_unmodelled(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let places = self.descriptor.unmodelled().iter().enumerate();
        let held = places.filter_map(|(index, place)| {
            let bytes = self.unmodelled.of(index);
            let last = bytes.iter().rposition(|byte| *byte != 0)?;
            Some((place.name().to_owned(), ByteBuf::from(&bytes[..=last])))
        });
        let held: BTreeMap<_, _> = held.collect();
        if held.is_empty() { Ok(()) } else { out.put_named(UNMODELLED, &held) }
    }

    /// Loads the bytes. Those of a place that this version lacks, or models, are left out: a model
    /// grows place by place, and what its guests have written there has had no effect.
    pub(super) fn load_unmodelled(
        &self,
        from: &mut StateReader<'_>,
        unknown: &mut usize,
    ) -> Result<UnmodelledBytes, StateError> {
        let mut loaded = UnmodelledBytes::new(&self.descriptor);
        let Some(value) = from.find(UNMODELLED, &NO_NAMES) else { return Ok(loaded) };
        let mut held: BTreeMap<String, ByteBuf> = from.decoded(UNMODELLED, &value)?;
        for (index, place) in self.descriptor.unmodelled().iter().enumerate() {
            let Some(bytes) = held.remove(place.name()) else { continue };
            let room = loaded.of_mut(index);
            let Some(room) = room.get_mut(..bytes.len()) else {
                let (name, len) = (place.name(), bytes.len());
                let problem =
                    format_args!("`{name}` has {len} bytes; this version holds {}", room.len());
                return Err(from.refuse_named(UNMODELLED, problem));
            };
            room.copy_from_slice(&bytes);
        }
        *unknown += held.len();
        Ok(loaded)
    }
}
