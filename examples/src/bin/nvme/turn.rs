//! A turn of the worker, from doorbells to completions (4.1).

use std::sync::atomic::Ordering;

use vfio_user::{DmaGuard, Work, WorkCx};
use vfio_user_examples::DiskQueue;

use crate::io;
use crate::log::{Event, Events};
use crate::queues::{FIRST_IO, Kind, Queue, Queues};
use crate::spec::{Completion, Failure, Outcome, Status};
use crate::under_way::Job;

/// How many bytes a turn moves. A command costs no less than a block.
const TURN: u64 = 4 << 20;

impl Work for Queues {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let mut budget = TURN;
        let mut ended = self.finish(DiskQueue::take_finished);
        // A command may create a queue, which is served from the next turn on.
        let end = self.end;
        for id in (self.first..end).chain(0..self.first.min(end)) {
            if let Err(Failure::Status(_)) = self.serve(cx, id, &mut budget)
                // A state from a file is loaded before the client maps memory.
                && self.has_memory
            {
                // The submission or the completion queue is not in mapped memory.
                self.is_fatal.store(true, Ordering::Relaxed);
                self.all[Kind::Submission.doorbell(id)] = None;
            }
            if budget == 0 {
                // It is the next one's turn first.
                self.first = id + 1;
                break;
            }
        }
        // What the system lacks memory for is started by the next turn.
        let is_started = self.transfers.submit().is_ok();
        ended += self.finish(DiskQueue::take_finished);
        if budget == TURN && self.doorbells.take_stray(cx.shared(0)) {
            self.raise_event(Event::InvalidDoorbellRegister);
        }
        (0..self.events.len()).for_each(|kind| self.report_event(cx, kind));
        self.raise_interrupts(cx);
        ended > 0 || !is_started || budget < TURN
    }

    fn drain(&mut self, cx: &WorkCx) -> bool {
        // It is called again soon.
        let _ = self.transfers.submit();
        self.finish(DiskQueue::take_finished);
        self.raise_interrupts(cx);
        !self.transfers.is_idle()
    }
}

impl Queues {
    /// Performs commands of a queue, as many as the rest of the turn allows.
    fn serve(&mut self, cx: &WorkCx, id: u16, budget: &mut u64) -> Outcome<()> {
        let Some(cq) = self.next_command(cx, id) else { return Ok(()) };
        // Held before a command has an effect: a device that stops waits for the completion.
        let entries = self.hold_entries(cx, cq)?;
        loop {
            *budget = budget.saturating_sub(self.process(cx, (id, cq), &entries)?);
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
        let Queue { ring, target, .. } = self.queue(id, Kind::Submission)?;
        let cq = target.filter(|_| ring.pending() > 0)?;
        self.has_room(cx, cq, 1).then_some(cq)
    }

    /// Returns whether a completion queue has room for so many entries.
    pub(crate) fn has_room(&mut self, cx: &WorkCx, id: u16, count: u32) -> bool {
        // Commands that are under way need one each.
        let free = |cq: &Queue| cq.ring.room().saturating_sub(cq.under_way);
        let room = |queues: &Self| queues.queue(id, Kind::Completion).map_or(0, free);
        if room(self) < count {
            self.look(cx, Kind::Completion.doorbell(id));
        }
        room(self) >= count
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

    /// Performs a command and completes it. Returns what it cost. A failure leaves it in its queue.
    fn process(&mut self, cx: &WorkCx, (id, cq): (u16, u16), entries: &DmaGuard) -> Outcome<u64> {
        let Queue { ring, .. } = self.queue(id, Kind::Submission).ok_or(Failure::Interrupted)?;
        let (command, head) = (ring.read(cx.dma())?, ring.following_index());
        let job = Job { cx, command: &command, sq: id, cq, entries };
        let done = if id == 0 { self.administer(&job) } else { self.perform(&job) };
        let completed = match done {
            Ok(result) => result.map(Ok),
            Err(Failure::Status(status)) => Some(Err(status)),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
        };
        if let Some(completed) = completed {
            self.complete(entries, cq, (id, head), command.cid.get(), completed)?;
        }
        self.has_memory = true;
        if let Some(sq) = &mut self.all[Kind::Submission.doorbell(id)] {
            sq.ring.advance();
        }
        Ok(io::cost(&command))
    }

    /// Holds the memory of a completion queue.
    fn hold_entries(&self, cx: &WorkCx, cq: u16) -> Outcome<DmaGuard> {
        let cq = self.queue(cq, Kind::Completion).ok_or(Status::CQ_INVALID)?;
        Ok(cq.ring.hold::<Completion>(cx.dma())?)
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
        let cq = self.all[Kind::Completion.doorbell(cq)].as_mut();
        let Some(Queue { ring, target: vector, .. }) = cq else { return Ok(()) };
        let status = completed.err().map_or(0, Status::field);
        let entry = Completion {
            result: completed.unwrap_or(0).into(),
            reserved: 0.into(),
            sq_head: u16::try_from(sq_head).unwrap_or(0).into(),
            sq_id: sq_id.into(),
            cid: cid.into(),
            status: (status << 1 | u16::from(ring.phase())).into(),
        };
        ring.post(entries, &entry)?;
        self.raise.extend(vector.filter(|vector| !self.raise.contains(vector)));
        Ok(())
    }

    fn raise_interrupts(&mut self, cx: &WorkCx) {
        self.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
    }

    /// Completes an Asynchronous Event Request.
    pub(crate) fn complete_event_request(
        &mut self,
        entries: &DmaGuard,
        place: usize,
        completed: Result<u32, Status>,
    ) -> Outcome<()> {
        let head = self.queue(0, Kind::Submission).map_or(0, |sq| sq.ring.device_index());
        self.complete(entries, 0, (0, head), self.event_requests[place], completed)?;
        self.event_requests.remove(place);
        Ok(())
    }

    /// Reports an event of a type, if there is one and a request waits for it.
    fn report_event(&mut self, cx: &WorkCx, kind: usize) {
        let Events { pending: Some(event), is_masked: false } = self.events[kind] else { return };
        if !self.event_requests.is_empty()
            && self.has_room(cx, 0, 1)
            && let Ok(entries) = self.hold_entries(cx, 0)
            && self.complete_event_request(&entries, 0, Ok(event)).is_ok()
        {
            self.events[kind] = Events { pending: None, is_masked: true };
        }
    }
}
