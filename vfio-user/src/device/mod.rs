//! What an author of devices writes and uses.

mod clock;
mod cx;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod device;
mod pci_device;
mod register_block;
mod reports;
mod timer;

pub(crate) use clock::Clock;
pub use cx::Cx;
pub(crate) use cx::Runtime;
pub use device::{Access, Device, Resumed, SavePhase};
pub use pci_device::{Hook, PciDevice};
pub use register_block::{BlockHooks, RegisterBlock};
pub use timer::{Timer, TimerField};
