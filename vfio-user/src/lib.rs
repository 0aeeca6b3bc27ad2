//! PCI devices in user space.

// Generated code says `::vfio_user`, in this crate's own tests as well.
extern crate self as vfio_user;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(feature = "cli")]
mod cli;
pub mod client;
mod device;
mod dma;
mod error;
mod eventfd;
mod interrupt;
#[allow(unreachable_pub, dead_code, reason = "shared with the derive, which uses other parts")]
mod layout;
pub mod pci;
pub mod protocol;
mod register;
mod server;
#[expect(unsafe_code, reason = "the one place for it")]
mod sys;
mod transport;

#[cfg(feature = "cli")]
pub use cli::{Options, main};
pub use client::Client;
pub use device::{
    Bar, Capability, Cx, Descriptor, Device, Full, Function, Hook, Hosted, Ids, PciDevice, Region,
    RegionMapping, Remote, ResetKind, Slot, Unmapped,
};
pub use dma::{Dma, DmaError};
pub use error::{Error, Result};
pub use eventfd::EventFd;
pub use interrupt::{Interrupts, Irq};
pub use layout::{BarKind, Extent, LayoutError, MsixLayout};
pub use register::{Hooks, Policy, Register, RegisterValue, Virtual};
pub use server::{Server, Shutdown};
pub use transport::FramingError;
pub use vfio_user_derive::PciDevice;
