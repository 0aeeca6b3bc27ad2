//! The doorbells: registers, and what a guest has in place of them (3.1.24, 5.7).

use std::sync::atomic::{AtomicU32, Ordering, fence};

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Dma, DmaError, DoorbellValues, WorkCx};

use crate::queues::QUEUES;

/// The doorbells in BAR 0.
const START: u64 = 0x1000;
/// The first doorbell of an I/O queue: drivers ring those of the admin queues by registers alone.
pub(crate) const FIRST_IO: usize = 2;

/// The doorbells as the worker looks at them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Doorbells {
    /// Those of I/O queues are in memory of the guest.
    pub(crate) shadow: Option<Shadow>,
    pub(crate) registers: DoorbellValues,
}

impl Default for Doorbells {
    fn default() -> Self {
        let registers = DoorbellValues::new(START, 2 * usize::from(QUEUES));
        Doorbells { shadow: None, registers }
    }
}

impl Doorbells {
    /// Returns whether a loaded state is one of a guest with pages of this size.
    pub(crate) fn is_valid(&self, page: u64) -> bool {
        self.shadow.as_ref().is_none_or(|shadow| page > 0 && shadow.is_aligned(page))
    }

    /// Returns the value of a doorbell that may have been rung after it was `last`.
    pub(crate) fn value(&self, cx: &WorkCx, index: usize, last: u32) -> Option<u32> {
        match &self.shadow {
            Some(shadow) if index >= FIRST_IO => shadow.value(cx, index, last).ok(),
            _ => self.registers.take(cx.shared(0), index),
        }
    }

    /// Begins with the doorbell of a new queue: it may hold the last ring of an earlier one.
    pub(crate) fn open(&self, cx: &WorkCx, index: usize) {
        self.registers.open(cx.shared(0), index);
        if let Some(shadow) = &self.shadow {
            // If it is not in memory any more, the queue is never rung.
            let _ = cx.dma().store(shadow.bell(index), 0_u32);
        }
    }
}

/// The buffers of Doorbell Buffer Config: pages with a word for each doorbell register.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Shadow {
    /// The guest rings here (Shadow Doorbell).
    pub(crate) bells: u64,
    /// It rings the register as well if the doorbell passes the value here (`EventIdx`).
    pub(crate) events: u64,
}

impl Shadow {
    pub(crate) fn is_aligned(&self, page: u64) -> bool {
        [self.bells, self.events].iter().all(|buffer| buffer.is_multiple_of(page))
    }

    fn bell(&self, index: usize) -> u64 {
        self.bells + 4 * index as u64
    }

    /// Checks that both are in memory that is shared with the guest.
    pub(crate) fn check(&self, dma: &Dma) -> Result<(), DmaError> {
        dma.load::<u32>(self.bells)?;
        dma.load::<u32>(self.events)?;
        dma.map_writable(self.events, 4 * usize::from(2 * QUEUES)).map(drop)
    }

    /// Begins with the doorbell of a queue that was rung elsewhere, unless the guest has rung here.
    pub(crate) fn start(&self, dma: &Dma, index: usize, last: u32) -> Result<(), DmaError> {
        dma.atomic(self.bell(index), |bell: &AtomicU32| {
            let _ = bell.compare_exchange(0, last.to_le(), Ordering::Relaxed, Ordering::Relaxed);
        })
    }

    /// Returns the value of a doorbell. If it is still `last`, its next ring will be a message.
    fn value(&self, cx: &WorkCx, index: usize, last: u32) -> Result<u32, DmaError> {
        let (dma, event) = (cx.dma(), self.events + 4 * index as u64);
        let value = dma.load(self.bell(index))?;
        let polls = !cx.shared(0).is_absent();
        if value != last || polls || dma.load::<u32>(event)? == last {
            return Ok(value);
        }
        dma.store(event, last)?;
        // The guest rings, and looks at the event index then: one of the two sees the other.
        fence(Ordering::SeqCst);
        dma.load(self.bell(index))
    }
}
