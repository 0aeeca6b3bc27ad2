//! The queues, from the doorbell to the completion (4.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::zerocopy::IntoBytes;
use vfio_user::{Dma, Shared, Work, WorkCx};

use crate::disk::{Disk, Failure, Outcome};
use crate::features::Features;
use crate::io;
use crate::spec::{COMMAND, COMPLETION, Command, Completion, Status};

pub(crate) const IO_QUEUES: u16 = 64;
/// With the admin queues.
pub(crate) const QUEUES: u16 = IO_QUEUES + 1;
/// Entries of a queue (CAP.MQES, there less one).
pub(crate) const MAX_ENTRIES: u32 = 1024;
/// What a doorbell holds that has not been rung.
pub(crate) const NONE: u32 = u32::MAX;
/// The doorbells in BAR 0.
pub(crate) const DOORBELLS: u64 = 0x1000;
/// How many commands of a queue are performed before the next queue has its turn.
const BURST: usize = 32;

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
        let value = page.load(DOORBELLS + 4 * u64::from(index)).ok()?;
        (value != NONE).then_some(value)
    }

    /// Forgets the rings of queues that no longer exist.
    pub(crate) fn clear(&self) {
        self.rung.iter().for_each(|rung| rung.store(NONE, Ordering::Relaxed));
        self.is_fatal.store(false, Ordering::Relaxed);
    }
}

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

    fn is_full(&self) -> bool {
        next(self.tail, self.size) == self.head
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
    /// An event that waits for a request.
    pub(crate) event: Option<u32>,
    /// An event was reported, and its log page has not been read.
    pub(crate) is_event_masked: bool,
    #[serde(skip)]
    pub(crate) disks: Arc<[Disk]>,
    #[serde(skip)]
    pub(crate) bells: Arc<Bells>,
    /// Vectors to raise at the end of the turn.
    #[serde(skip)]
    raise: Vec<u16>,
}

impl Queues {
    pub(crate) fn new(disks: Arc<[Disk]>, bells: Arc<Bells>) -> Self {
        let mut queues = Queues { disks, bells, ..Queues::default() };
        queues.reset();
        queues
    }

    /// Forgets everything but what was given at construction.
    pub(crate) fn reset(&mut self) {
        let (disks, bells) = (Arc::clone(&self.disks), Arc::clone(&self.bells));
        bells.clear();
        let count = usize::from(QUEUES);
        let (submission, completion) = (vec![None; count], vec![None; count]);
        *self = Queues { submission, completion, disks, bells, ..Queues::default() };
    }

    /// Creates the admin queues.
    pub(crate) fn enable(
        &mut self,
        page: u64,
        submission: SubmissionQueue,
        completion: CompletionQueue,
    ) {
        self.page = page;
        self.submission[0] = Some(submission);
        self.completion[0] = Some(completion);
    }

    /// Returns whether a loaded state is one of this controller.
    pub(crate) fn is_valid(&self) -> bool {
        let count = usize::from(QUEUES);
        let known = |sq: &SubmissionQueue| {
            self.completion.get(usize::from(sq.cq)).is_some_and(Option::is_some)
                && sq.head < sq.size
                && sq.tail < sq.size
        };
        self.submission.len() == count
            && self.completion.len() == count
            && self.submission.iter().flatten().all(known)
            && self.completion.iter().flatten().all(|cq| cq.head < cq.size && cq.tail < cq.size)
            && self.page.checked_next_power_of_two() == Some(self.page.max(1))
    }
}

impl Work for Queues {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let mut found = false;
        for id in 0..QUEUES {
            found |= self.serve(cx, id);
        }
        self.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
        found
    }
}

impl Queues {
    /// Performs commands of a queue. Returns whether there were any.
    fn serve(&mut self, cx: &WorkCx, id: u16) -> bool {
        if self.submission[usize::from(id)].is_none() {
            return false;
        }
        let mut count = 0;
        while count < BURST
            && let Some((iova, cq)) = self.next_command(cx, id)
        {
            match self.process(cx, id, cq, iova) {
                Ok(()) => count += 1,
                Err(Failure::Interrupted) => break,
                Err(Failure::Status(_)) => {
                    // Neither queue is where the guest has said.
                    self.bells.is_fatal.store(true, Ordering::Relaxed);
                    self.submission[usize::from(id)] = None;
                    break;
                }
            }
        }
        count > 0
    }

    /// Returns the address of the next command, and the completion queue, which has room.
    fn next_command(&mut self, cx: &WorkCx, id: u16) -> Option<(u64, u16)> {
        let sq = self.submission[usize::from(id)].as_mut()?;
        if sq.head == sq.tail
            && let Some(tail) = self.bells.value(cx.shared(0), 2 * id)
        {
            if tail < sq.size {
                sq.tail = tail;
            } else {
                self.report_invalid_doorbell(cx);
                return None;
            }
        }
        let sq = self.submission[usize::from(id)].as_ref()?;
        if sq.head == sq.tail {
            return None;
        }
        let (iova, cq) = (sq.base + COMMAND * u64::from(sq.head), sq.cq);
        self.has_room(cx, cq).then_some((iova, cq))
    }

    fn has_room(&mut self, cx: &WorkCx, id: u16) -> bool {
        let Some(cq) = self.completion[usize::from(id)].as_mut() else { return false };
        if cq.is_full()
            && let Some(head) = self.bells.value(cx.shared(0), 2 * id + 1)
            && head < cq.size
        {
            cq.head = head;
        }
        !cq.is_full()
    }

    /// Performs a command and completes it. A failure leaves it in its queue.
    fn process(&mut self, cx: &WorkCx, id: u16, cq: u16, iova: u64) -> Outcome<()> {
        let command: Command = cx.dma().read_obj(iova)?;
        let done = match id {
            0 => self.administer(cx, &command),
            _ => io::perform(&self.disks, cx.dma(), self.page, &command).map(Some),
        };
        let completed = match done {
            Ok(None) => {
                self.advance(id);
                return Ok(());
            }
            Ok(Some(result)) => Ok(result),
            Err(Failure::Status(status)) => Err(status),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
        };
        let head = self.submission[usize::from(id)].as_ref().map_or(0, SubmissionQueue::after_head);
        self.complete(cx.dma(), cq, (id, head), command.cid.get(), completed)?;
        self.advance(id);
        if id == 0 {
            self.report_event(cx);
        }
        Ok(())
    }

    /// Removes the first command of a queue.
    fn advance(&mut self, id: u16) {
        if let Some(sq) = &mut self.submission[usize::from(id)] {
            sq.head = sq.after_head();
        }
    }

    /// Posts a completion.
    pub(crate) fn complete(
        &mut self,
        dma: &Dma,
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
        dma.publish(cq.base + COMPLETION * u64::from(cq.tail), entry.as_bytes())?;
        cq.tail = next(cq.tail, cq.size);
        cq.phase ^= cq.tail == 0;
        if let Some(vector) = cq.vector.filter(|vector| !self.raise.contains(vector)) {
            self.raise.push(vector);
        }
        Ok(())
    }

    /// Reports an event, if a request waits for one.
    fn report_event(&mut self, cx: &WorkCx) {
        let head = self.submission[0].as_ref().map_or(0, |sq| sq.head);
        if self.is_event_masked || self.event_requests.is_empty() || !self.has_room(cx, 0) {
            return;
        }
        let Some(event) = self.event else { return };
        let cid = self.event_requests[0];
        if self.complete(cx.dma(), 0, (0, head), cid, Ok(event)).is_ok() {
            self.event_requests.remove(0);
            self.event = None;
            self.is_event_masked = true;
        }
    }

    /// Error status, invalid doorbell write value, log page 1 (5.2).
    fn report_invalid_doorbell(&mut self, cx: &WorkCx) {
        self.event = Some(0x0001_0100);
        self.report_event(cx);
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
