//! The declaration of a device, as plain data.

mod bus_errors;
mod descriptor;
mod region;
mod register;
mod reset_kind;
mod slot;
pub mod spec;

pub use bus_errors::BusErrors;
pub use descriptor::{
    Bar, Capability, CapabilityKind, Descriptor, Express, ExpressPort, Ids, Msi, OwnedCapability,
    PowerManagement, PowerStates, Sizes, SizesIn, SpecificRegion, Unaligned, Unmapped,
};
pub(crate) use descriptor::{Listed, SharedFile};
pub use region::{Region, RegionMapping, RegionType};
pub use register::{
    Added, Block, Commit, DataMatch, Field, FieldValue, Hooks, Intr, Lock, Policy, Register,
    RegisterValue, Shape, Traits, Trigger, UnknownValue, Untested, Virtual,
};
pub(crate) use register::{Simple, Write, byte_enable};
pub use reset_kind::ResetKind;
pub use slot::{BlockElement, Slot};
