//! Devices: what an author writes, and how the runtime sees it.

mod cx;
mod descriptor;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod device;
mod doorbells;
mod events;
mod function;
mod hosted;
mod inquiry;
mod pace;
mod pci_device;
mod reports;
mod timer;
mod wakes;
mod watch;
mod watched;

pub use cx::Cx;
pub(crate) use descriptor::Listed;
pub use descriptor::{
    Bar, Capability, CapabilityKind, Descriptor, Express, ExpressPort, Ids, Msi, OwnedCapability,
    PowerManagement, PowerStates, Sizes, SizesIn, SpecificRegion, Unaligned, Unmapped,
};
pub use device::{Access, Device, ResetKind, Resumed, SavePhase};
pub use events::{PostError, Remote};
pub use function::{Doorbell, Function, Region, RegionMapping, RegionType};
pub(crate) use hosted::CONFIG_BAR;
pub use hosted::Hosted;
pub use inquiry::{InquiryError, Peek};
pub use pci_device::{BlockElement, Hook, PciDevice, Slot};
pub(crate) use timer::Clock;
pub use timer::{Timer, TimerField};
pub use watch::{Readiness, Watch, WatchError};
