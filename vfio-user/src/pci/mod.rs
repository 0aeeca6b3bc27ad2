//! Configuration space: header, BARs, capabilities, the MSI-X table.

mod capability;
mod config;
mod config_layout;
mod decode_enables;
mod errors;
mod header;
mod interrupts;
mod msix;
mod power;
mod vpd;

pub(crate) use config::{ConfigSpace, ConfigState};
pub(crate) use errors::ErrorReport;
pub use errors::{CorrectableError, UncorrectableError};
pub(crate) use interrupts::{InterruptControls, MessageControl, Signals};
pub(crate) use msix::MsixTable;

pub use crate::model::{BusErrors, CommandBits, StatusBits, spec};
