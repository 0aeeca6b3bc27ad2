//! Helpers that the integration tests share: a client that sends arbitrary bytes, servers that end
//! with their test, devices to serve, descriptors to pass, guests.
//!
//! The client does not use `vfio_user::protocol`; its numbers come from the specification, so that
//! a mistake there is not repeated here.

#![forbid(unsafe_code)]

pub mod actor;
pub mod clock;
pub mod config_model;
pub mod config_script;
pub mod counter;
pub mod driver;
pub mod files;
pub mod forged;
pub mod generations;
pub mod irqs;
pub mod journal;
pub mod language;
pub mod lspci;
pub mod mailbox;
pub mod migrating_device;
pub mod nvme;
pub mod policies;
pub mod puppet;
pub mod ram;
pub mod raw;
pub mod recording;
pub mod register_model;
pub mod scripted;
pub mod serve;
pub mod stepped;
pub mod tap;
pub mod vm;
pub mod wire;
pub mod zoo;

use std::time::Duration;

/// The longest that any step of a test may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
