//! The rules of a layout, applied to registers of configuration space.

use super::{Capability, Descriptor};
use crate::layout::{self, Check, Extent, Kind};
use crate::pci::spec::{capability_size, cfg};
use crate::register::Register;

impl Descriptor {
    /// C06: the rest of the header and all capabilities are the runtime's.
    pub(super) const fn check_in_config(&self, register: &Register) -> Check<'static> {
        let extent = register.extent();
        if let Err(error) = layout::aligned(&extent) {
            return Err(error);
        }
        if let Err(error) = layout::in_config(&extent, self.config_size() as u64) {
            return Err(error);
        }
        let (mut place, mut offset) = (0, cfg::FIRST_CAPABILITY);
        while let Some((name, size)) = self.capability(place) {
            let capability = Extent::single(name, offset as u64, size as u64).of(Kind::Capability);
            if let Err(error) = layout::disjoint(&extent, &capability) {
                return Err(error);
            }
            offset = (offset + size).next_multiple_of(4);
            place += 1;
        }
        Ok(())
    }

    /// The size of configuration space, in bytes.
    pub(crate) const fn config_size(&self) -> usize {
        if self.is_express() { cfg::EXPRESS_SIZE } else { cfg::CONVENTIONAL_SIZE }
    }

    /// The name and the size of a capability, in the order in which they lie one behind the other.
    const fn capability(&self, place: usize) -> Option<(&'static str, usize)> {
        let declared = self.capabilities.len();
        if place < declared {
            return Some(match self.capabilities[place] {
                Capability::Pm => ("pm", capability_size::PM),
                Capability::Express => ("express", capability_size::EXPRESS),
            });
        }
        match place - declared {
            0 if self.msi != 0 => Some(("msi", capability_size::MSI)),
            0 if self.msix.is_some() => Some(("msix", capability_size::MSIX)),
            1 if self.msi != 0 && self.msix.is_some() => Some(("msix", capability_size::MSIX)),
            _ => None,
        }
    }
}
