//! The declaration of a device, as plain data.

mod bus_errors;
mod command_bits;
pub(crate) mod descriptor;
mod memory;
mod place_in_bar;
mod region;
pub(crate) mod register;
mod reset_kind;
mod slot;
pub mod spec;
mod status_bits;
mod timer;
mod unmodelled;

pub use bus_errors::BusErrors;
pub use command_bits::CommandBits;
pub use descriptor::{
    Bar, Capability, CapabilityKind, Descriptor, Express, ExpressPort, Ids, Msi, OwnedCapability,
    PowerManagement, PowerStates, Sizes, SizesIn, SpecificRegion, Unaligned, Unmapped, Watching,
};
pub(crate) use descriptor::{Listed, SharedFile, TimerName};
pub use memory::{MemoryRange, MemoryReset};
pub use region::{Region, RegionMapping, RegionType};
pub use register::{
    AddedIn, Block, BlockContents, Commit, ComposedInterrupt, Condition, DataMatch, Doorbell,
    Field, FieldValue, Hooks, Policy, Register, RegisterBits, RegisterFlags, RegisterValue,
    Trigger, UnknownValue, Untested, Virtual, Window, WindowBar, WriteLock,
};
pub(crate) use register::{
    BitsName, ConditionText, MAX_LEVELS, SizesText, StoreOnly, View, Write, beside, byte_enable,
    find_block,
};
pub(crate) use reset_kind::ResetScope;
pub use reset_kind::{ResetKind, ResetSet};
pub use slot::{BlockElement, Slot};
pub use status_bits::StatusBits;
pub use timer::DeclaredTimer;
pub use unmodelled::UnmodelledRange;
