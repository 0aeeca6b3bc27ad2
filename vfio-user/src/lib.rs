//! PCI devices in user space.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod device;
mod layout;
pub mod protocol;
mod register;

pub use device::{
    Bar, Capability, Cx, Descriptor, Device, Hook, Ids, PciDevice, ResetKind, Slot, Unmapped,
};
pub use layout::{BarKind, Extent, LayoutError, MsixLayout};
pub use register::{Hooks, Policy, Register, RegisterValue, Virtual};

/// What the library returns.
pub type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
