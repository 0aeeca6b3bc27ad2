//! The queues, and what a worker owns beside them.

use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vfio_user::{DoorbellValues, Ring, ShadowDoorbells};
use vfio_user_examples::DiskQueue;

use crate::features::Features;
use crate::log::{Events, Statistics};
use crate::subsystem::{Common, EVENT_REQUESTS, Subsystem};

pub(crate) const IO_QUEUES: u16 = 64;
/// With the admin queues.
pub(crate) const QUEUES: u16 = IO_QUEUES + 1;
/// The doorbells of all queues.
pub(crate) const DOORBELLS: usize = 2 * QUEUES as usize;
/// The first doorbell of an I/O queue.
pub(crate) const FIRST_IO: usize = 2;
/// Entries of a queue (CAP.MQES, there less one).
pub(crate) const MAX_ENTRIES: u32 = 1024;
/// Entries of an admin queue (AQA, there less one).
const MAX_ADMIN_ENTRIES: u32 = 4096;
/// The sizes of pages (CAP.MPSMIN, CAP.MPSMAX).
const PAGES: RangeInclusive<u64> = 0x1000..=0x1_0000;

/// A queue of the two that have the same number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Submission,
    Completion,
}

impl Kind {
    /// Returns the doorbell of a queue.
    pub(crate) fn doorbell(self, id: u16) -> usize {
        2 * usize::from(id) + self as usize
    }
}

/// A queue, submission or completion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) ring: Ring,
    /// Where it reports: a submission queue to a completion queue, a completion queue to a vector,
    /// if its interrupts are enabled.
    pub(crate) target: Option<u16>,
}

/// The state of the controller that migrates beside its registers. A worker owns it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queues {
    /// The queue of each doorbell.
    pub(crate) all: Vec<Option<Queue>>,
    /// Bytes of a page in the guest (CC.MPS).
    pub(crate) page: u64,
    /// CC.IOSQES and CC.IOCQES.
    pub(crate) entry_sizes: [u8; 2],
    pub(crate) features: Features,
    /// Asynchronous Event Requests, by their command identifiers.
    pub(crate) event_requests: Vec<u16>,
    /// Events about errors, and about health.
    pub(crate) events: [Events; 2],
    pub(crate) statistics: Statistics,
    pub(crate) doorbells: DoorbellValues,
    /// The doorbells of I/O queues that are in memory of the guest (5.7).
    pub(crate) shadow: Option<ShadowDoorbells>,
    #[serde(skip)]
    pub(crate) common: Common,
    /// A command has been performed, or the guest has enabled the controller.
    #[serde(skip)]
    pub(crate) has_memory: bool,
    /// The submission queues, in the order in which the next turn serves them.
    #[serde(skip)]
    pub(crate) order: Vec<u16>,
    /// Vectors to raise at the end of the turn.
    #[serde(skip)]
    pub(crate) raise: Vec<u16>,
}

impl Queues {
    pub(crate) fn new(subsystem: Arc<Subsystem>) -> Self {
        let doorbells = DoorbellValues::new(0x1000, DOORBELLS);
        let transfers = DiskQueue::new(&subsystem.disks, DOORBELLS);
        let common = Common { subsystem, transfers, ..Common::default() };
        Queues { all: vec![None; DOORBELLS], doorbells, common, ..Queues::default() }
    }

    /// Forgets everything but what was given at construction, and what the device has clones of.
    pub(crate) fn reset(&mut self) {
        let Queues { doorbells, common, .. } = mem::take(self);
        *self = Queues { all: vec![None; DOORBELLS], doorbells, common, ..Queues::default() };
    }

    /// Creates the admin queues: submission, completion.
    pub(crate) fn enable(&mut self, page: u64, rings: [Ring; 2]) {
        (self.page, self.has_memory) = (page, true);
        self.all[..2].clone_from_slice(&rings.map(|ring| Some(Queue { ring, target: Some(0) })));
        self.list();
    }

    /// Updates `order`: a queue was created or deleted, or the state was loaded.
    pub(crate) fn list(&mut self) {
        let exists = |id: &u16| self.queue(*id, Kind::Submission).is_some();
        self.order = (0..QUEUES).filter(exists).collect();
    }

    /// Returns a queue, if it exists.
    pub(crate) fn queue(&self, id: u16, kind: Kind) -> Option<&Queue> {
        self.all.get(kind.doorbell(id))?.as_ref()
    }

    /// Returns which command of a queue is fetched next.
    pub(crate) fn head(&self, sq: u16) -> u32 {
        self.queue(sq, Kind::Submission).map_or(0, |sq| sq.ring.device_index())
    }

    /// Returns whether a loaded state is one of this controller.
    pub(crate) fn is_valid(&self) -> bool {
        let has_cq =
            |sq: &Queue| sq.target.is_some_and(|cq| self.queue(cq, Kind::Completion).is_some());
        self.all.len() == DOORBELLS
            && self.all.iter().flatten().all(|queue| queue.ring.is_valid(MAX_ADMIN_ENTRIES))
            && self.all.iter().step_by(2).flatten().all(has_cq)
            && self.event_requests.len() <= usize::from(EVENT_REQUESTS) + 1
            && self.shadow.is_none_or(|shadow| shadow.is_aligned(self.page))
            && (self.all.iter().all(Option::is_none)
                || PAGES.contains(&self.page) && self.page.is_power_of_two())
    }
}
