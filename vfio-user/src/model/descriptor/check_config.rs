//! The rules of a layout, applied to registers and blocks of configuration space.

use super::Descriptor;
use crate::layout::{self, Check, Extent};
use crate::model::spec::cfg;

impl Descriptor {
    /// C06: the runtime owns the rest of the header and all capabilities.
    pub(super) const fn check_in_config(&self, extent: &Extent<'static>) -> Check<'static> {
        if let Err(error) = layout::in_config(extent, self.config_size() as u64) {
            return Err(error);
        }
        let (mut index, count) = (0, self.capability_count());
        while index < count {
            if let Err(error) = layout::disjoint(extent, &self.capability_extent(index)) {
                return Err(error);
            }
            index += 1;
        }
        Ok(())
    }

    /// Returns the size of configuration space, in bytes.
    pub(crate) const fn config_size(&self) -> usize {
        if self.is_express() { cfg::EXPRESS_SIZE } else { cfg::CONVENTIONAL_SIZE }
    }
}
