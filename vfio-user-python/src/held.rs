//! The parts of a device object that the engine holds by reference: timers and memories.
//!
//! The engine has them, and lends them to the object while a hook runs.

use std::ops::Range;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use vfio_user::__private::{arm_timer, arm_timer_again, arm_timer_every, remaining};
use vfio_user::Timer;

use crate::declaration::Declaration;

/// The timers and memories of a device object.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) timers: Vec<Timer>,
    pub(crate) memories: Vec<Vec<u8>>,
    /// The time of the device when the hook that runs was called.
    pub(crate) now: Option<Instant>,
}

/// How a hook arms a timer.
#[derive(Clone, Copy)]
pub(crate) enum Arm {
    Once(Duration),
    Every { first: Duration, period: Duration },
    Again(Duration),
}

impl Held {
    /// Returns those of a new device: timers that are not armed, and memories of zeros.
    pub(crate) fn new(declaration: &Declaration) -> Self {
        Held {
            timers: vec![Timer::default(); declaration.timers()],
            memories: declaration.memories.iter().map(|memory| vec![0; memory.size]).collect(),
            now: None,
        }
    }

    /// Arms a timer; does nothing for an index without a timer.
    pub(crate) fn arm(&mut self, index: usize, arm: Arm) {
        let (Some(timer), Some(now)) = (self.timers.get_mut(index), self.now) else { return };
        match arm {
            Arm::Once(after) => arm_timer(timer, now, after),
            Arm::Every { first, period } => arm_timer_every(timer, now, first, period),
            Arm::Again(period) => arm_timer_again(timer, now, period),
        }
    }

    /// Returns the remaining time of a timer in seconds; `None` if it is not armed.
    pub(crate) fn remaining(&self, index: usize) -> Option<f64> {
        let (timer, now) = (self.timers.get(index)?, self.now?);
        remaining(timer, now).map(|time| time.as_secs_f64())
    }

    /// Returns bytes of a memory.
    ///
    /// # Errors
    ///
    /// If they lie outside.
    pub(crate) fn read(&self, index: usize, range: Range<usize>) -> PyResult<&[u8]> {
        let memory = self.memories.get(index).map_or(&[][..], |memory| memory);
        memory.get(range.clone()).ok_or_else(|| outside(&range, memory.len()))
    }

    /// Replaces bytes of a memory.
    ///
    /// # Errors
    ///
    /// If they lie outside, or `data` has another length.
    pub(crate) fn write(&mut self, index: usize, range: Range<usize>, data: &[u8]) -> PyResult<()> {
        let memory = self.memories.get_mut(index).map_or(&mut [][..], |memory| memory);
        let len = memory.len();
        let bytes = memory.get_mut(range.clone()).ok_or_else(|| outside(&range, len))?;
        if bytes.len() != data.len() {
            let text = format!("{} bytes in place of {}", data.len(), bytes.len());
            return Err(PyValueError::new_err(text));
        }
        bytes.copy_from_slice(data);
        Ok(())
    }
}

fn outside(range: &Range<usize>, len: usize) -> PyErr {
    let Range { start, end } = range;
    PyIndexError::new_err(format!("bytes {start:#x} to {end:#x}; the memory has {len:#x} bytes"))
}
