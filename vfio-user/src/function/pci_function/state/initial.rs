//! The parts that older versions of a device lack, as the device was constructed.

use super::PciFunction;
use super::columns::{BlockPart, block_parts};
use crate::device::PciDevice;
use crate::migration::{OldState, Section, SectionsWriter, StateError, StateLayout, sections};
use crate::model::{Descriptor, Register};

/// The blocks that versions have added, and the elements by which arrays have grown, as the device
/// was constructed. They complete the state of an older version.
#[derive(Debug, Default)]
pub(in super::super) struct Initial(Option<OldState>);

impl Initial {
    pub(super) fn section(&self, id: &str) -> Option<Section<'_>> {
        self.0.as_ref()?.sections().into_iter().find(|section| section.id == id)
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Remembers these parts. Called when registers have their reset values, before anything else
    /// happens to the device.
    ///
    /// # Errors
    ///
    /// The field whose type is written as something else than it is read as.
    pub(in super::super) fn remember_initial(&mut self) -> Result<(), StateError> {
        let Some(layout) = self.descriptor.state().filter(|_| has_changed(&self.descriptor)) else {
            return Ok(());
        };
        let mut writer = SectionsWriter::default();
        // As of a new device without older versions, types are checked here and lengths are not.
        self.save_declared(&mut writer, layout, false)?;
        let state = writer.finish();
        let mut initial = OldState::new(layout.version, &sections(&state)?);
        let added: Vec<_> =
            block_parts(&self.descriptor).filter(BlockPart::is_new).map(|part| part.id()).collect();
        // Names that authors choose have no dot: a name with a dot is a part that has been added.
        initial
            .retain(|section, field| added.iter().any(|id| id == section) || field.contains('.'));
        self.initial = Initial(Some(initial));
        Ok(())
    }
}

/// Returns whether a version has added a block, or elements of an array.
fn has_changed(descriptor: &Descriptor) -> bool {
    let register = |register: &Register| !register.grown_from().is_empty();
    let private =
        |layout: &StateLayout| layout.fields.iter().any(|field| !field.grown_from.is_empty());
    let mut blocks = descriptor.blocks().iter();
    descriptor.registers().iter().any(register)
        || descriptor.state().is_some_and(private)
        || blocks.any(|block| {
            block.since().is_some()
                || block.parts().nth(1).is_some()
                || block.registers().iter().any(register)
                || block.state().is_some_and(private)
        })
}
