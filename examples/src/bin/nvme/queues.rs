//! The queues, from the doorbell to the completion (4.1).

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::zerocopy::IntoBytes;
use vfio_user::{DmaError, DmaGuard, Work, WorkCx};

use crate::disk::{Failure, Outcome};
use crate::doorbells::{Bells, Doorbells};
use crate::features::Features;
use crate::identify::EVENT_REQUESTS;
use crate::io::{self, Request};
use crate::log::{Event, Events, Statistics};
use crate::spec::{COMMAND, COMPLETION, Command, Completion, Status};
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
/// How many bytes a turn moves. A command costs no less than a block.
const TURN: u64 = 4 << 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct SubmissionQueue {
    pub(crate) base: u64,
    pub(crate) size: u32,
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) cq: u16,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct CompletionQueue {
    pub(crate) base: u64,
    pub(crate) size: u32,
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) phase: bool,
    /// The vector, if interrupts are enabled.
    pub(crate) vector: Option<u16>,
}

impl CompletionQueue {
    pub(crate) fn new(base: u64, size: u32, vector: Option<u16>) -> Self {
        CompletionQueue { base, size, head: 0, tail: 0, phase: true, vector }
    }

    /// Returns how many more entries it has room for. One stays empty.
    fn room(&self) -> u32 {
        (self.size + self.head - self.tail - 1) % self.size
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
    pub(crate) features: Features,
    /// Asynchronous Event Requests, by their command identifiers.
    pub(crate) event_requests: Vec<u16>,
    /// Events about errors, and about health.
    pub(crate) events: [Events; 2],
    pub(crate) statistics: Statistics,
    pub(crate) doorbells: Doorbells,
    /// Doorbells that were rung before the state was saved, and not looked at.
    pub(crate) rung: Vec<(u16, u32)>,
    /// A queue was not in memory (CSTS.CFS).
    pub(crate) is_fatal: bool,
    #[serde(skip)]
    pub(crate) subsystem: Arc<Subsystem>,
    /// A command has been fetched, or the guest has enabled the controller.
    #[serde(skip)]
    has_memory: bool,
    /// The first queue of the next turn.
    #[serde(skip)]
    first: u16,
    /// Submission queues have numbers below.
    #[serde(skip)]
    end: u16,
    /// Vectors to raise at the end of the turn.
    #[serde(skip)]
    raise: Vec<u16>,
}

impl Queues {
    pub(crate) fn new(subsystem: Arc<Subsystem>, bells: Arc<Bells>) -> Self {
        let doorbells = Doorbells::new(bells);
        let mut queues = Queues { doorbells, subsystem, ..Queues::default() };
        queues.reset();
        queues
    }

    /// Forgets everything but what was given at construction.
    pub(crate) fn reset(&mut self) {
        self.doorbells.bells.clear();
        let (subsystem, doorbells) =
            (Arc::clone(&self.subsystem), Doorbells::new(Arc::clone(&self.doorbells.bells)));
        let count = usize::from(QUEUES);
        let (submission, completion) = (vec![None; count], vec![None; count]);
        *self = Queues { submission, completion, doorbells, subsystem, ..Queues::default() };
    }

    /// Creates the admin queues.
    pub(crate) fn enable(
        &mut self,
        page: u64,
        submission: SubmissionQueue,
        completion: CompletionQueue,
    ) {
        self.page = page;
        self.has_memory = true;
        self.submission[0] = Some(submission);
        self.completion[0] = Some(completion);
        self.count();
    }

    /// Updates `end`: a submission queue was created or deleted, or the state was loaded.
    pub(crate) fn count(&mut self) {
        let last = self.submission.iter().rposition(Option::is_some);
        self.end = last.and_then(|last| u16::try_from(last + 1).ok()).unwrap_or(0);
    }

    /// Returns whether a loaded state is one of this controller.
    pub(crate) fn is_valid(&self) -> bool {
        let count = usize::from(QUEUES);
        let has_size = |size: u32, head: u32, tail: u32| {
            (2..=MAX_ADMIN_ENTRIES).contains(&size) && head < size && tail < size
        };
        let known = |sq: &SubmissionQueue| {
            let cq = self.completion.get(usize::from(sq.cq));
            has_size(sq.size, sq.head, sq.tail) && cq.is_some_and(Option::is_some)
        };
        let is_empty = self.submission.iter().all(Option::is_none);
        self.submission.len() == count
            && self.completion.len() == count
            && self.submission.iter().flatten().all(known)
            && self.completion.iter().flatten().all(|cq| has_size(cq.size, cq.head, cq.tail))
            && self.rung.iter().all(|(index, _)| *index < 2 * QUEUES)
            && self.event_requests.len() <= usize::from(EVENT_REQUESTS) + 1
            && self.doorbells.is_valid(self.page)
            && (is_empty || PAGES.contains(&self.page) && self.page.is_power_of_two())
    }
}

impl Work for Queues {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let mut budget = TURN;
        // A command may create a queue, which is served from the next turn on.
        let end = self.end;
        let first = if self.first < end { self.first } else { 0 };
        for id in (first..end).chain(0..first) {
            self.serve(cx, id, &mut budget);
            if budget == 0 {
                // It is the next one's turn first.
                self.first = id + 1;
                break;
            }
        }
        (0..self.events.len()).for_each(|kind| self.report_event(cx, kind));
        self.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
        budget < TURN
    }
}

impl Queues {
    /// Performs commands of a queue, as many as the rest of the turn allows.
    fn serve(&mut self, cx: &WorkCx, id: u16, budget: &mut u64) {
        let mut entries = None;
        while *budget > 0
            && let Some((iova, cq)) = self.next_command(cx, id)
        {
            match self.process(cx, (id, cq), iova, &mut entries) {
                Ok(cost) => *budget = budget.saturating_sub(cost),
                Err(Failure::Interrupted) => break,
                Err(Failure::Status(_)) => {
                    // The submission or the completion queue is not in mapped memory.
                    self.is_fatal = true;
                    self.doorbells.bells.is_fatal.store(true, Ordering::Relaxed);
                    self.submission[usize::from(id)] = None;
                    break;
                }
            }
        }
    }

    /// Returns the address of the next command, and the completion queue, which has room.
    fn next_command(&mut self, cx: &WorkCx, id: u16) -> Option<(u64, u16)> {
        let sq = self.submission[usize::from(id)].as_mut()?;
        if sq.head == sq.tail
            && let Some(tail) = self.doorbells.value(cx, 2 * id, sq.tail)
        {
            if tail >= sq.size {
                self.refuse_ring(cx, 2 * id);
                return None;
            }
            sq.tail = tail;
        }
        let sq = self.submission[usize::from(id)].as_ref()?;
        if sq.head == sq.tail {
            return None;
        }
        let (iova, cq) = (sq.base.wrapping_add(COMMAND * u64::from(sq.head)), sq.cq);
        self.has_room(cx, cq, 1).then_some((iova, cq))
    }

    /// Returns whether a completion queue has room for so many entries.
    pub(crate) fn has_room(&mut self, cx: &WorkCx, id: u16, count: u32) -> bool {
        let Some(cq) = self.completion[usize::from(id)].as_mut() else { return false };
        if cq.room() < count
            && let Some(head) = self.doorbells.value(cx, 2 * id + 1, cq.head)
        {
            if head >= cq.size {
                self.refuse_ring(cx, 2 * id + 1);
                return false;
            }
            cq.head = head;
        }
        cq.room() >= count
    }

    /// Performs a command and completes it. Returns what it cost. A failure leaves it in its queue.
    fn process(
        &mut self,
        cx: &WorkCx,
        (id, cq): (u16, u16),
        iova: u64,
        entries: &mut Option<DmaGuard>,
    ) -> Outcome<u64> {
        let command = self.fetch(cx, iova)?;
        // Held before a command has an effect: a device that stops waits for the completion.
        let entries = match entries {
            Some(entries) => entries,
            None => entries.insert(self.hold_entries(cx, cq)?),
        };
        let done = match id {
            0 => self.administer(cx, entries, &command),
            _ => self.request(cx, &command).perform().map(Some),
        };
        let completed = match done {
            Ok(result) => {
                if id > 0 {
                    self.statistics.count(&command);
                }
                Ok(result)
            }
            Err(Failure::Status(status)) => Err(status),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
        };
        let head = self.submission[usize::from(id)].as_ref().map_or(0, SubmissionQueue::after_head);
        if let Some(completed) = completed.transpose() {
            self.complete(entries, cq, (id, head), command.cid.get(), completed)?;
        }
        if let Some(sq) = &mut self.submission[usize::from(id)] {
            sq.head = head;
        }
        Ok(io::cost(&command))
    }

    fn request<'a>(&'a self, cx: &'a WorkCx, command: &'a Command) -> Request<'a> {
        let Queues { subsystem, page, .. } = self;
        let is_cached = self.features.has_write_cache();
        Request { subsystem, dma: cx.dma(), page: *page, is_cached, command }
    }

    fn fetch(&mut self, cx: &WorkCx, iova: u64) -> Outcome<Command> {
        match cx.dma().read_obj(iova) {
            // A state from a file is loaded before the client maps memory.
            Err(DmaError::Unmapped { .. }) if !self.has_memory => Err(Failure::Interrupted),
            read => {
                self.has_memory = true;
                Ok(read?)
            }
        }
    }

    /// Holds the memory of a completion queue.
    fn hold_entries(&self, cx: &WorkCx, cq: u16) -> Outcome<DmaGuard> {
        let cq = self.completion[usize::from(cq)].as_ref().ok_or(Status::CQ_INVALID)?;
        let len = usize::try_from(COMPLETION * u64::from(cq.size)).unwrap_or(usize::MAX);
        Ok(cx.dma().map_writable(cq.base, len)?)
    }

    /// Posts a completion to a queue, whose entries are held.
    pub(crate) fn complete(
        &mut self,
        entries: &DmaGuard,
        cq: u16,
        (sq_id, sq_head): (u16, u32),
        cid: u16,
        completed: Result<u32, Status>,
    ) -> Outcome<()> {
        let Some(cq) = &mut self.completion[usize::from(cq)] else { return Ok(()) };
        let status = completed.err().map_or(0, Status::field);
        let entry = Completion {
            result: completed.unwrap_or(0).into(),
            reserved: 0.into(),
            sq_head: u16::try_from(sq_head).unwrap_or(0).into(),
            sq_id: sq_id.into(),
            cid: cid.into(),
            status: (status << 1 | u16::from(cq.phase)).into(),
        };
        entries.publish(COMPLETION * u64::from(cq.tail), entry.as_bytes())?;
        cq.tail = next(cq.tail, cq.size);
        cq.phase ^= cq.tail == 0;
        if let Some(vector) = cq.vector.filter(|vector| !self.raise.contains(vector)) {
            self.raise.push(vector);
        }
        Ok(())
    }

    /// Reports an event of a type, if there is one and a request waits for it.
    fn report_event(&mut self, cx: &WorkCx, kind: usize) {
        let Events { pending: Some(event), is_masked: false } = self.events[kind] else { return };
        if self.event_requests.is_empty() || !self.has_room(cx, 0, 1) {
            return;
        }
        let head = self.submission[0].as_ref().map_or(0, |sq| sq.head);
        let Ok(entries) = self.hold_entries(cx, 0) else { return };
        let cid = self.event_requests[0];
        if self.complete(&entries, 0, (0, head), cid, Ok(event)).is_ok() {
            self.event_requests.remove(0);
            self.events[kind] = Events { pending: None, is_masked: true };
        }
    }

    fn refuse_ring(&mut self, cx: &WorkCx, index: u16) {
        self.doorbells.refuse(cx, index);
        self.raise_event(Event::InvalidDoorbell);
    }
}

impl SubmissionQueue {
    fn after_head(&self) -> u32 {
        next(self.head, self.size)
    }
}

fn next(index: u32, size: u32) -> u32 {
    if index + 1 < size { index + 1 } else { 0 }
}
