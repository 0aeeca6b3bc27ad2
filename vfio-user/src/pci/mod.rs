//! Configuration space and what belongs to it: header, BARs, capabilities, the MSI-X table.

mod capability;
mod config;
mod config_layout;
mod header;
mod msix;
pub mod spec;

pub(crate) use config::{ConfigSpace, MessageControl, is_interrupt_disabled};
pub(crate) use msix::MsixTable;
