//! A driver of NVMe controllers that polls, over [`vfio_user::client`].
//!
//! It has the numbers of the NVM Express Base Specification 1.4 itself, so it drives any controller
//! over vfio-user, and a mistake of ours is not repeated here. Interrupts stay disabled.

mod command;
mod controller;
mod latency;
mod memory;
mod queue;
mod workload;
mod writer;

pub use command::{Command, Completion, Direction, SglDescriptor};
pub use controller::{Controller, Namespace};
pub use latency::Latency;
pub use memory::Memory;
pub use queue::{Doorbells, QueuePair, Shadow};
pub use workload::{Pattern, Report, Transfer, Workload};
pub use writer::Writer;

use vfio_user::Error;

/// Bytes of a page, of the memory of a queue, and of a transfer of a [`Workload`].
pub const PAGE: u64 = 4096;

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::device(reason.to_string())
}
