//! Devices: what an author writes, and how the runtime sees it.

mod cx;
mod descriptor;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod device;
mod pci_device;

pub use cx::Cx;
pub use descriptor::{Bar, Capability, Descriptor, Ids, Unmapped};
pub use device::{Device, ResetKind};
pub use pci_device::{Hook, PciDevice, Slot};
