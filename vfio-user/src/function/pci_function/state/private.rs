//! The saved private fields alone.

use std::collections::BTreeMap;

use super::{DEVICE, PciFunction, block_layout};
use crate::device::PciDevice;
use crate::migration::{SectionsWriter, StateError, StateLayout, StateWriter, sections};

impl<D: PciDevice> PciFunction<D> {
    /// Returns the saved private fields of the device and of its blocks, by names such as `count`
    /// and `queues.count`; none if the device does not migrate.
    ///
    /// # Errors
    ///
    /// If a value cannot be saved.
    pub(crate) fn private_state(&self) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        self.saved_private(true)
    }

    /// Checks that the values of all private fields are written as the types that they are read as,
    /// regardless of the lengths of collections.
    ///
    /// # Errors
    ///
    /// The field whose types differ.
    pub(in super::super) fn check_types(&self) -> Result<(), StateError> {
        self.saved_private(false).map(drop)
    }

    fn saved_private(&self, has_limits: bool) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        let mut all = BTreeMap::new();
        let Some(layout) = self.descriptor.state() else { return Ok(all) };
        let own = saved(DEVICE, layout, has_limits, |out| self.device.save_private(out))?;
        all.extend(own);
        for (block_index, block) in self.descriptor.blocks().iter().enumerate() {
            let (path, layout) = (block.path(), block_layout(block)?);
            let id = format!("block.{path}");
            let all_of_it = 0..block.count() as usize;
            let save =
                |out: &mut StateWriter<'_>| self.device.save_block(block_index, all_of_it, out);
            let fields = saved(&id, layout, has_limits, save)?;
            let named = |(field, value)| (format!("{path}.{field}"), value);
            all.extend(fields.into_iter().map(named));
        }
        Ok(all)
    }
}

/// Returns the contents of a section, field by field.
fn saved(
    section: &str,
    layout: &StateLayout,
    has_limits: bool,
    save: impl FnOnce(&mut StateWriter<'_>) -> Result<(), StateError>,
) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
    let mut writer = SectionsWriter::default();
    let mut out = StateWriter::new(&mut writer, section, layout).limited(has_limits);
    save(&mut out)?;
    out.finish();
    let state = writer.finish();
    let fields = sections(&state)?.into_iter().flat_map(|section| section.fields);
    let mut values = BTreeMap::<String, Vec<u8>>::new();
    for field in fields {
        // The elements by which an array has grown are fields of their own.
        let name = field.name.split('.').next().unwrap_or_default();
        values.entry(name.to_owned()).or_default().extend_from_slice(field.value);
    }
    Ok(values)
}
