//! A configuration space in the format of `lspci -F`.

use std::fmt::{self, Display, Formatter};

use crate::layout::CONFIG;
use crate::model::Descriptor;
use crate::pci::{ConfigSpace, Signals};

/// The configuration space of a device after power-on, in lines of 16 bytes.
pub(super) struct Dump<'a>(pub(super) &'a Descriptor);

impl Display for Dump<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ids = self.0.ids();
        writeln!(
            f,
            "00:00.0 {:04x}: {:04x}:{:04x} (rev {:02x})",
            ids.class >> 8,
            ids.vendor,
            ids.device,
            ids.revision
        )?;
        for (line, bytes) in bytes(self.0).chunks(16).enumerate() {
            write!(f, "{:02x}:", line * 16)?;
            bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
            writeln!(f)?;
        }
        // A blank line ends a device.
        writeln!(f)
    }
}

/// Returns the whole configuration space. The device's own registers have their declared reset
/// values, or zeros.
fn bytes(descriptor: &Descriptor) -> Vec<u8> {
    let space = ConfigSpace::new(descriptor);
    let mut bytes = vec![0; space.size()];
    space.read(0, &mut bytes, Signals::default());
    for (register, slot) in descriptor.slots() {
        let (bar, offset) = descriptor.locate(slot);
        if bar == CONFIG
            && let Some(at) = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at..))
        {
            let value = register.access().read(register.reset().unwrap_or(0));
            let value = value.to_le_bytes();
            let width = usize::from(register.width()).min(at.len());
            at[..width].copy_from_slice(&value[..width]);
        }
    }
    bytes
}
