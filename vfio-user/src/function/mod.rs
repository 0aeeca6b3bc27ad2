//! Devices as PCI functions, which a server drives.

mod background_work;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod function;
mod hand_over;
mod look;
mod memory_peek;
mod migrate;
mod pace;
mod pci_function;
mod peek;
mod running;
mod watched;
mod window_peek;

pub use background_work::BackgroundWork;
pub use function::{Admission, Function, InvalidMessage, ShadowIoEventFd, ShadowIoEventFds, Step};
pub use hand_over::{FunctionRecord, Handing};
pub use migrate::Migrate;
pub(crate) use pci_function::AccessedPlace;
pub(crate) use pci_function::CONFIG_BAR;
pub use pci_function::PciFunction;
pub use peek::{Peek, PeekError};

pub use crate::bus::{Burndown, BurndownHandle, TouchedPlace};
pub use crate::dma::ShownPages;
pub use crate::interrupt::Interrupts;
pub use crate::model::{Doorbell, Region, RegionMapping};
