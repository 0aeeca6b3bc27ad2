//! The name of the hook that runs.

use std::fmt;
use std::sync::Arc;

use crate::bus::RegisterName;
use crate::device::{Call, RunningCall};
use crate::model::{Descriptor, TimerName};

/// Displays the hook that runs, on another thread.
#[derive(Debug)]
pub(super) struct RunningHook {
    pub(super) call: Arc<RunningCall>,
    pub(super) descriptor: Descriptor,
}

/// `write_with of edu.dma[1]`, `on_write of edu.buffer`, `timer ticks[3]`, `Device::event`; `in the
/// library` between hooks.
impl fmt::Display for RunningHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call.get() {
            None => f.write_str("in the library"),
            Some(Call::Method(method)) => write!(f, "Device::{}", method.name()),
            Some(Call::Timer(slot)) => {
                write!(f, "timer {}", TimerName { descriptor: &self.descriptor, slot })
            }
            Some(Call::Memory(index)) => {
                let memory = &self.descriptor.memories()[index];
                write!(f, "on_write of {}.{}", self.descriptor.name(), memory.name())
            }
            Some(Call::Register(hook, slot)) => {
                let name = RegisterName { descriptor: &self.descriptor, slot };
                write!(f, "{} of {name}", hook.name())
            }
        }
    }
}
