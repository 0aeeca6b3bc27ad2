//! The traits that an author of devices implements, and the types that hooks use.

mod calls;
mod clock;
mod cx;
mod declared;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod device;
mod doorbell_values;
mod fifo;
mod indices;
mod inner_blocks;
mod memory_reset;
mod pci_device;
mod register_block;
mod reports;
mod reset_values;
mod restore;
mod soft_reset;
mod soft_resets;
mod timer;
mod worker;

pub use calls::Hook;
pub(crate) use calls::{Call, METHOD_NAMES, Method, RunningCall};
pub(crate) use clock::Clock;
pub use cx::Cx;
pub(crate) use cx::Runtime;
pub use device::{Access, Device, Resumed, SavePhase};
pub use doorbell_values::DoorbellValues;
pub use fifo::Fifo;
pub use indices::{ElementIndex, Indices};
pub use inner_blocks::{each, each_mut};
pub use pci_device::PciDevice;
pub use register_block::{BlockHooks, RegisterBlock};
pub(crate) use reset_values::ResetValues;
pub(crate) use timer::SavedTimer;
pub use timer::{Timer, TimerField};
pub use worker::{Work, WorkCx, WorkState, Worker};
