//! The doorbells: registers, and what a guest has in place of them (3.1.24, 5.7).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Dma, DmaError, Shared, WorkCx};

use crate::queues::QUEUES;

/// What a doorbell holds that has not been rung.
pub(crate) const NONE: u32 = u32::MAX;
/// The doorbells in BAR 0.
const START: u64 = 0x1000;
/// The first doorbell of an I/O queue: drivers ring those of the admin queues by registers alone.
const FIRST_IO: u16 = 2;

/// What the device's thread hands to the worker.
#[derive(Debug)]
pub(crate) struct Bells {
    /// Doorbells that were rung by messages, two for each queue.
    rung: Vec<AtomicU32>,
    /// A queue is not in memory (CSTS.CFS).
    pub(crate) is_fatal: AtomicBool,
}

impl Default for Bells {
    fn default() -> Self {
        let rung = (0..2 * QUEUES).map(|_| AtomicU32::new(NONE)).collect();
        Bells { rung, is_fatal: AtomicBool::new(false) }
    }
}

impl Bells {
    pub(crate) fn ring(&self, index: usize, value: u32) {
        self.rung[index].store(value, Ordering::Release);
    }

    /// Returns what a doorbell was rung with, by a message or in memory that the guest maps.
    fn value(&self, page: &Shared, index: u16) -> Option<u32> {
        let rung = &self.rung[usize::from(index)];
        if rung.load(Ordering::Relaxed) != NONE {
            return Some(rung.swap(NONE, Ordering::Acquire));
        }
        let value = page.load(START + 4 * u64::from(index)).ok()?;
        (value != NONE).then_some(value)
    }

    /// Forgets the last ring of a doorbell.
    fn forget(&self, page: &Shared, index: u16) {
        self.rung[usize::from(index)].store(NONE, Ordering::Relaxed);
        // Without memory that the guest maps there is none.
        let _ = page.store(START + 4 * u64::from(index), NONE);
    }

    /// Returns the doorbells that the worker has not looked at.
    pub(crate) fn pending(&self) -> Vec<(u16, u32)> {
        let rung = self.rung.iter().map(|rung| rung.load(Ordering::Relaxed));
        (0..).zip(rung).filter(|(_, value)| *value != NONE).collect()
    }

    /// Forgets the rings of queues that no longer exist.
    pub(crate) fn clear(&self) {
        self.rung.iter().for_each(|rung| rung.store(NONE, Ordering::Relaxed));
        self.is_fatal.store(false, Ordering::Relaxed);
    }
}

/// The doorbells as the worker looks at them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Doorbells {
    /// Those of I/O queues are in memory of the guest.
    shadow: Option<Shadow>,
    #[serde(skip)]
    pub(crate) bells: Arc<Bells>,
}

impl Doorbells {
    pub(crate) fn new(bells: Arc<Bells>) -> Self {
        Doorbells { shadow: None, bells }
    }

    /// Returns whether a loaded state is one of a guest with pages of this size.
    pub(crate) fn is_valid(&self, page: u64) -> bool {
        self.shadow.as_ref().is_none_or(|shadow| page > 0 && shadow.is_aligned(page))
    }

    /// Returns the value of a doorbell that may have been rung after it was `last`.
    pub(crate) fn value(&self, cx: &WorkCx, index: u16, last: u32) -> Option<u32> {
        match &self.shadow {
            Some(shadow) if index >= FIRST_IO => shadow.value(cx, index, last).ok(),
            _ => self.bells.value(cx.shared(0), index),
        }
    }

    /// Forgets the doorbell of a queue that is new: it may hold the last ring of an earlier one.
    pub(crate) fn start(&self, cx: &WorkCx, index: u16) {
        self.bells.forget(cx.shared(0), index);
        if let Some(shadow) = &self.shadow {
            // If it is not in memory any more, the queue is never rung.
            let _ = cx.dma().store(shadow.bells + 4 * u64::from(index), 0_u32);
        }
    }

    /// Forgets a ring that makes no sense.
    pub(crate) fn refuse(&self, cx: &WorkCx, index: u16) {
        self.bells.forget(cx.shared(0), index);
    }

    /// Looks for rings of I/O queues in memory of the guest from now on. `queues` are those that
    /// exist: the doorbell, its last value, and the number of entries.
    pub(crate) fn move_to<'a>(
        &mut self,
        cx: &WorkCx,
        shadow: Shadow,
        queues: impl Iterator<Item = (u16, &'a mut u32, u32)>,
    ) -> Result<(), DmaError> {
        for (index, last, size) in queues.filter(|(index, ..)| *index >= FIRST_IO) {
            let value = self.value(cx, index, *last).filter(|value| *value < size);
            *last = value.unwrap_or(*last);
            // The guest has not rung there yet: zeros are not a ring.
            cx.dma().atomic(shadow.bells + 4 * u64::from(index), |bell: &AtomicU32| {
                let _ =
                    bell.compare_exchange(0, last.to_le(), Ordering::Relaxed, Ordering::Relaxed);
            })?;
        }
        self.shadow = Some(shadow);
        Ok(())
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

    /// Checks that both are in memory that is shared with the guest.
    pub(crate) fn check(&self, dma: &Dma) -> Result<(), DmaError> {
        dma.load::<u32>(self.bells)?;
        dma.load::<u32>(self.events)?;
        dma.map_writable(self.events, 4 * usize::from(2 * QUEUES)).map(drop)
    }

    /// Returns the value of a doorbell. If it is still `last`, its next ring will be a message.
    fn value(&self, cx: &WorkCx, index: u16, last: u32) -> Result<u32, DmaError> {
        let (dma, offset) = (cx.dma(), 4 * u64::from(index));
        let value = dma.load(self.bells + offset)?;
        let polls = !cx.shared(0).is_absent();
        if value != last || polls || dma.load::<u32>(self.events + offset)? == last {
            return Ok(value);
        }
        dma.store(self.events + offset, last)?;
        // The guest rings, and looks at the event index then: one of the two sees the other.
        fence(Ordering::SeqCst);
        dma.load(self.bells + offset)
    }
}
