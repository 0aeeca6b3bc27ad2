//! The name of the hook that runs.

use std::fmt;
use std::sync::Arc;

use crate::bus::RegisterName;
use crate::device::{Call, LastCall};
use crate::model::Descriptor;

/// Displays the hook that was called last, on another thread.
#[derive(Debug)]
pub(super) struct RunningHook {
    pub(super) last: Arc<LastCall>,
    pub(super) descriptor: Descriptor,
    pub(super) timers: &'static [&'static str],
}

/// `write_with of edu.dma[1]`, `timer tick`, `Device::event`.
impl fmt::Display for RunningHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last.get() {
            None => f.write_str("none"),
            Some(Call::Method(method)) => write!(f, "Device::{}", method.name()),
            Some(Call::Timer(place)) => {
                write!(f, "timer {}", self.timers.get(place).copied().unwrap_or_default())
            }
            Some(Call::Register(hook, slot)) => {
                let name = RegisterName { descriptor: &self.descriptor, slot };
                write!(f, "{hook} of {name}")
            }
        }
    }
}
