//! The queues, and what a worker owns beside them.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use vfio_user::Ring;
use vfio_user::serde::{Deserialize, Serialize};

use crate::doorbells::Doorbells;
use crate::features::Features;
use crate::identify::EVENT_REQUESTS;
use crate::log::{Events, Statistics};
use crate::subsystem::Subsystem;

pub(crate) const IO_QUEUES: u16 = 64;
/// With the admin queues.
pub(crate) const QUEUES: u16 = IO_QUEUES + 1;
/// Entries of a queue (CAP.MQES, there less one).
pub(crate) const MAX_ENTRIES: u32 = 1024;
/// Entries of an admin queue (AQA, there less one).
const MAX_ADMIN_ENTRIES: u32 = 4096;
/// The sizes of pages (CAP.MPSMIN, CAP.MPSMAX).
const PAGES: RangeInclusive<u64> = 0x1000..=0x1_0000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct SubmissionQueue {
    pub(crate) ring: Ring,
    pub(crate) cq: u16,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct CompletionQueue {
    pub(crate) ring: Ring,
    pub(crate) phase: bool,
    /// The vector, if interrupts are enabled.
    pub(crate) vector: Option<u16>,
}

impl CompletionQueue {
    pub(crate) fn new(ring: Ring, vector: Option<u16>) -> Self {
        CompletionQueue { ring, phase: true, vector }
    }
}

/// The state of the controller that migrates beside its registers. A worker owns it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Queues {
    pub(crate) submission: Vec<Option<SubmissionQueue>>,
    pub(crate) completion: Vec<Option<CompletionQueue>>,
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
    pub(crate) doorbells: Doorbells,
    #[serde(skip)]
    pub(crate) subsystem: Arc<Subsystem>,
    /// A queue was not in memory (CSTS.CFS).
    #[serde(skip)]
    pub(crate) is_fatal: Arc<AtomicBool>,
    /// A command has been fetched, or the guest has enabled the controller.
    #[serde(skip)]
    pub(crate) has_memory: bool,
    /// The first queue of the next turn.
    #[serde(skip)]
    pub(crate) first: usize,
    /// Submission queues have numbers below.
    #[serde(skip)]
    pub(crate) end: usize,
    /// Vectors to raise at the end of the turn.
    #[serde(skip)]
    pub(crate) raise: Vec<u16>,
}

impl Queues {
    pub(crate) fn new(subsystem: Arc<Subsystem>) -> Self {
        let count = usize::from(QUEUES);
        let (submission, completion) = (vec![None; count], vec![None; count]);
        Queues { submission, completion, subsystem, ..Queues::default() }
    }

    /// Forgets everything but what was given at construction, and what the device has clones of.
    pub(crate) fn reset(&mut self) {
        let mut queues = Queues::new(Arc::clone(&self.subsystem));
        queues.doorbells.registers = self.doorbells.registers.clone();
        queues.is_fatal = Arc::clone(&self.is_fatal);
        *self = queues;
    }

    /// Creates the admin queues.
    pub(crate) fn enable(
        &mut self,
        page: u64,
        entry_sizes: [u8; 2],
        [submission, completion]: [Ring; 2],
    ) {
        (self.page, self.entry_sizes, self.has_memory) = (page, entry_sizes, true);
        self.submission[0] = Some(SubmissionQueue { ring: submission, cq: 0 });
        self.completion[0] = Some(CompletionQueue::new(completion, Some(0)));
        self.count();
    }

    /// Updates `end`: a submission queue was created or deleted, or the state was loaded.
    pub(crate) fn count(&mut self) {
        self.end = self.submission.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    }

    /// Returns the ring whose index a doorbell has.
    pub(crate) fn ring(&mut self, doorbell: usize) -> Option<&mut Ring> {
        let id = doorbell / 2;
        if doorbell.is_multiple_of(2) {
            self.submission[id].as_mut().map(|sq| &mut sq.ring)
        } else {
            self.completion[id].as_mut().map(|cq| &mut cq.ring)
        }
    }

    /// Returns whether a loaded state is one of this controller.
    pub(crate) fn is_valid(&self) -> bool {
        let count = usize::from(QUEUES);
        let has_cq = |sq: &SubmissionQueue| {
            self.completion.get(usize::from(sq.cq)).is_some_and(Option::is_some)
        };
        let mut rings = (self.submission.iter().flatten().map(|sq| &sq.ring))
            .chain(self.completion.iter().flatten().map(|cq| &cq.ring));
        let is_empty = self.submission.iter().all(Option::is_none);
        self.submission.len() == count
            && self.completion.len() == count
            && self.submission.iter().flatten().all(has_cq)
            && rings.all(|ring| ring.is_valid(MAX_ADMIN_ENTRIES))
            && self.event_requests.len() <= usize::from(EVENT_REQUESTS) + 1
            && self.doorbells.is_valid(self.page)
            && (is_empty || PAGES.contains(&self.page) && self.page.is_power_of_two())
    }
}
