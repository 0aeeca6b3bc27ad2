//! A turn of the worker, from doorbells to completions (4.1).

use std::sync::atomic::Ordering;

use vfio_user::zerocopy::FromZeros;
use vfio_user::{DmaGuard, Work, WorkCx};
use vfio_user_examples::{DiskQueue, Finished};

use crate::io;
use crate::log::Event;
use crate::queues::{FIRST_IO, Kind, Queue, Queues};
use crate::spec::{Command, Completion, Failure, Outcome, Status};

/// How many bytes a turn moves. A command costs no less than a block.
const TURN: u64 = 4 << 20;

/// A command that was fetched, and where it is completed. It leaves its queue when it is completed,
/// or when its transfer is under way.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) sq: u16,
    pub(crate) cq: u16,
    /// The first command of its queue that was not fetched, when it is completed.
    pub(crate) sq_head: u32,
    /// The memory of the completion queue, in the session in which the command came: it is not
    /// completed after a reset.
    pub(crate) entries: DmaGuard,
}

impl Work for Queues {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let mut budget = TURN;
        let is_busy = self.finish(DiskQueue::take_finished);
        let mut count = 0;
        while let Some(&id) = self.order.get(count).filter(|_| budget > 0) {
            count += 1;
            if let Err(Failure::Status(_)) = self.serve(cx, id, &mut budget)
                // A state from a file is loaded before the client maps memory.
                && self.has_memory
            {
                // The submission or the completion queue is not in mapped memory.
                self.common.is_fatal.store(true, Ordering::Relaxed);
                self.all[Kind::Submission.doorbell(id)] = None;
            }
        }
        // It is the next one's turn first.
        let next = count.min(self.order.len());
        self.order.rotate_left(next);
        if budget == TURN && self.doorbells.take_stray(cx.shared(0)) {
            self.raise_event(Event::InvalidDoorbellRegister);
        }
        (0..self.events.len()).for_each(|kind| self.report_event(cx, kind));
        self.proceed(cx) || is_busy || budget < TURN
    }

    fn drain(&mut self, cx: &WorkCx) -> bool {
        self.proceed(cx);
        !self.common.transfers.is_idle()
    }
}

impl Queues {
    /// Performs commands of a queue, as many as the rest of the turn allows.
    fn serve(&mut self, cx: &WorkCx, id: u16, budget: &mut u64) -> Outcome<()> {
        let Some(cq) = self.next_command(cx, id) else { return Ok(()) };
        // Held before a command has an effect: a device that stops waits for the completion.
        let mut job = self.job(cx, id, cq)?;
        loop {
            self.process(cx, &mut job)?;
            *budget = budget.saturating_sub(io::cost(&job.command));
            if *budget == 0 || self.next_command(cx, id).is_none() {
                return Ok(());
            }
        }
    }

    /// Returns the completion queue for the next command, if there is one and the queue has room.
    fn next_command(&mut self, cx: &WorkCx, id: u16) -> Option<u16> {
        if self.queue(id, Kind::Submission)?.ring.pending() == 0 {
            self.look(cx, Kind::Submission.doorbell(id));
        }
        let Queue { ring, target } = self.queue(id, Kind::Submission)?;
        let cq = target.filter(|_| ring.pending() > 0)?;
        self.has_room(cx, cq, 1).then_some(cq)
    }

    /// Returns whether a completion queue has room for so many entries.
    pub(crate) fn has_room(&mut self, cx: &WorkCx, id: u16, count: u32) -> bool {
        let doorbell = Kind::Completion.doorbell(id);
        // Commands that are under way need one each.
        let needed = count + self.common.transfers.count(doorbell);
        let room = |queues: &Self| queues.all[doorbell].as_ref().map_or(0, |cq| cq.ring.room());
        if room(self) < needed {
            self.look(cx, doorbell);
        }
        room(self) >= needed
    }

    /// Takes the index of a ring from its doorbell. Drivers ring those of the admin queues by
    /// registers alone.
    pub(crate) fn look(&mut self, cx: &WorkCx, doorbell: usize) {
        let Some(Queue { ring, .. }) = &mut self.all[doorbell] else { return };
        // A worker that polls needs no register to be rung.
        let (polls, last) = (!cx.shared(0).is_absent(), ring.driver_index());
        let value = match self.shadow.filter(|_| doorbell >= FIRST_IO) {
            Some(shadow) if polls => shadow.value(cx.dma(), doorbell).ok(),
            Some(shadow) => shadow.await_ring(cx.dma(), doorbell, last).ok(),
            None => self.doorbells.take(cx.shared(0), doorbell),
        };
        if value.is_some_and(|value| !ring.set_driver_index(value)) {
            self.doorbells.open(cx.shared(0), doorbell);
            self.raise_event(Event::InvalidDoorbellValue);
        }
    }

    /// Fetches a command, performs and completes it. A failure leaves it in its queue.
    fn process(&mut self, cx: &WorkCx, job: &mut Job) -> Outcome<()> {
        let sq = self.queue(job.sq, Kind::Submission).ok_or(Failure::Interrupted)?;
        (job.command, job.sq_head) = (sq.ring.read(cx.dma())?, sq.ring.following_index());
        let done = if job.sq == 0 { self.administer(cx, job) } else { self.perform(cx, job) };
        self.complete(job, done)?;
        self.has_memory = true;
        if let Some(sq) = &mut self.all[Kind::Submission.doorbell(job.sq)] {
            sq.ring.advance();
        }
        Ok(())
    }

    /// Returns a job of a queue, with the memory of its completion queue and no command yet.
    pub(crate) fn job(&self, cx: &WorkCx, sq: u16, cq: u16) -> Outcome<Job> {
        let queue = self.queue(cq, Kind::Completion).ok_or(Status::CQ_INVALID)?;
        let entries = queue.ring.hold::<Completion>(cx.dma())?;
        Ok(Job { command: Command::new_zeroed(), sq, cq, sq_head: self.head(sq), entries })
    }

    /// Posts the completion of a command, unless it is under way.
    pub(crate) fn complete(&mut self, job: &Job, done: Outcome<u32>) -> Outcome<()> {
        let (result, status) = match done {
            Ok(result) => (result, 0),
            Err(Failure::Status(status)) => (0, status.field()),
            Err(Failure::UnderWay) => return Ok(()),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
        };
        let cq = self.all[Kind::Completion.doorbell(job.cq)].as_mut();
        let Some(Queue { ring, target: vector }) = cq else { return Ok(()) };
        let entry = Completion {
            result: result.into(),
            reserved: 0.into(),
            sq_head: u16::try_from(job.sq_head).unwrap_or(0).into(),
            sq_id: job.sq.into(),
            cid: job.command.cid,
            status: (status << 1 | u16::from(ring.phase())).into(),
        };
        ring.post(&job.entries, &entry)?;
        self.raise.extend(vector.filter(|vector| !self.raise.contains(vector)));
        if job.sq > 0 && status == 0 {
            self.statistics.count(&job.command);
        }
        Ok(())
    }

    /// Starts the transfers that are prepared, completes commands whose transfers have ended, and
    /// raises interrupts. Returns whether another turn has to follow.
    fn proceed(&mut self, cx: &WorkCx) -> bool {
        // What the system lacks memory for is started by the next turn.
        let is_started = self.common.transfers.submit().is_ok();
        let has_finished = self.finish(DiskQueue::take_finished);
        self.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
        has_finished || !is_started
    }

    /// Completes the commands whose transfers `next` returns. Returns whether there were any.
    pub(crate) fn finish(&mut self, next: fn(&DiskQueue<Job>) -> Option<Finished<Job>>) -> bool {
        let mut has_any = false;
        while let Some((mut job, done)) = next(&self.common.transfers) {
            has_any = true;
            job.sq_head = self.head(job.sq);
            let done = done.map(|()| 0).map_err(|error| match error.into() {
                // It has left its queue.
                Failure::Interrupted => Status::DATA_TRANSFER_ERROR.into(),
                failure => failure,
            });
            if let Err(Failure::Status(_)) = self.complete(&job, done) {
                self.common.is_fatal.store(true, Ordering::Relaxed);
            }
        }
        has_any
    }
}
