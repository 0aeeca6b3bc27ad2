//! A turn of the worker, from doorbells to completions (4.1).

use std::sync::atomic::Ordering;

use vfio_user::{DmaError, DmaGuard, Work, WorkCx};

use crate::failure::{Failure, Outcome};
use crate::io::{self, Request};
use crate::log::{Event, Events};
use crate::queues::Queues;
use crate::spec::{Command, Completion, Status};

/// How many bytes a turn moves. A command costs no less than a block.
const TURN: u64 = 4 << 20;

impl Work for Queues {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let mut budget = TURN;
        // A command may create a queue, which is served from the next turn on.
        let end = self.end;
        for id in (self.first..end).chain(0..self.first.min(end)) {
            self.serve(cx, id, &mut budget);
            if budget == 0 {
                // It is the next one's turn first.
                self.first = id + 1;
                break;
            }
        }
        if budget == TURN && self.doorbells.registers.take_stray(cx.shared(0)) {
            self.raise_event(Event::InvalidDoorbellRegister);
        }
        (0..self.events.len()).for_each(|kind| self.report_event(cx, kind));
        self.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
        budget < TURN
    }
}

impl Queues {
    /// Performs commands of a queue, as many as the rest of the turn allows.
    fn serve(&mut self, cx: &WorkCx, id: usize, budget: &mut u64) {
        let mut entries = None;
        while *budget > 0
            && let Some(cq) = self.next_command(cx, id)
        {
            match self.process(cx, (id, cq), &mut entries) {
                Ok(cost) => *budget = budget.saturating_sub(cost),
                Err(Failure::Interrupted) => break,
                Err(Failure::Status(_)) => {
                    // The submission or the completion queue is not in mapped memory.
                    self.is_fatal.store(true, Ordering::Relaxed);
                    self.submission[id] = None;
                }
            }
        }
    }

    /// Returns the completion queue for the next command, if there is one and the queue has room.
    fn next_command(&mut self, cx: &WorkCx, id: usize) -> Option<usize> {
        if self.submission[id].as_ref()?.ring.pending() == 0 {
            self.look(cx, 2 * id);
        }
        let sq = self.submission[id].as_ref()?;
        let cq = sq.cq.into();
        (sq.ring.pending() > 0 && self.has_room(cx, cq, 1)).then_some(cq)
    }

    /// Returns whether a completion queue has room for so many entries.
    pub(crate) fn has_room(&mut self, cx: &WorkCx, id: usize, count: u32) -> bool {
        let room = |queues: &Self| queues.completion[id].as_ref().map_or(0, |cq| cq.ring.room());
        if room(self) < count {
            self.look(cx, 2 * id + 1);
        }
        room(self) >= count
    }

    /// Takes the index of a ring from its doorbell.
    pub(crate) fn look(&mut self, cx: &WorkCx, doorbell: usize) {
        let Some(last) = self.ring(doorbell).map(|ring| ring.driver_index()) else { return };
        let Some(value) = self.doorbells.value(cx, doorbell, last) else { return };
        if !self.ring(doorbell).is_some_and(|ring| ring.set_driver_index(value)) {
            self.doorbells.registers.open(cx.shared(0), doorbell);
            self.raise_event(Event::InvalidDoorbellValue);
        }
    }

    /// Performs a command and completes it. Returns what it cost. A failure leaves it in its queue.
    fn process(
        &mut self,
        cx: &WorkCx,
        (id, cq): (usize, usize),
        entries: &mut Option<DmaGuard>,
    ) -> Outcome<u64> {
        let command = self.fetch(cx, id)?;
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
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(Failure::Status(status)) => Some(Err(status)),
            Ok(result) => result.map(Ok),
        };
        if id > 0 && matches!(completed, Some(Ok(_))) {
            self.statistics.count(&command);
        }
        let head = self.submission[id].as_ref().map_or(0, |sq| sq.ring.following_index());
        if let Some(completed) = completed {
            self.complete(entries, cq, (id, head), command.cid.get(), completed)?;
        }
        self.submission[id].as_mut().map(|sq| sq.ring.advance());
        Ok(io::cost(&command))
    }

    fn request<'a>(&'a self, cx: &'a WorkCx, command: &'a Command) -> Request<'a> {
        let Queues { subsystem, page, .. } = self;
        let is_cached = self.features.has_write_cache();
        Request { subsystem, dma: cx.dma(), page: *page, is_cached, command }
    }

    fn fetch(&mut self, cx: &WorkCx, id: usize) -> Outcome<Command> {
        let sq = self.submission[id].as_ref().ok_or(Failure::Interrupted)?;
        match sq.ring.read(cx.dma()) {
            // A state from a file is loaded before the client maps memory.
            Err(DmaError::Unmapped { .. }) if !self.has_memory => Err(Failure::Interrupted),
            read => {
                self.has_memory = true;
                Ok(read?)
            }
        }
    }

    /// Holds the memory of a completion queue.
    fn hold_entries(&self, cx: &WorkCx, cq: usize) -> Outcome<DmaGuard> {
        let cq = self.completion[cq].as_ref().ok_or(Status::CQ_INVALID)?;
        Ok(cq.ring.hold::<Completion>(cx.dma())?)
    }

    /// Posts a completion to a queue, whose entries are held.
    fn complete(
        &mut self,
        entries: &DmaGuard,
        cq: usize,
        (sq_id, sq_head): (usize, u32),
        cid: u16,
        completed: Result<u32, Status>,
    ) -> Outcome<()> {
        let Some(cq) = &mut self.completion[cq] else { return Ok(()) };
        let status = completed.err().map_or(0, Status::field);
        let entry = Completion {
            result: completed.unwrap_or(0).into(),
            reserved: 0.into(),
            sq_head: u16::try_from(sq_head).unwrap_or(0).into(),
            sq_id: u16::try_from(sq_id).unwrap_or(0).into(),
            cid: cid.into(),
            status: (status << 1 | u16::from(cq.phase)).into(),
        };
        cq.phase ^= cq.ring.post(entries, &entry)?;
        if let Some(vector) = cq.vector.filter(|vector| !self.raise.contains(vector)) {
            self.raise.push(vector);
        }
        Ok(())
    }

    /// Completes an Asynchronous Event Request.
    pub(crate) fn complete_event_request(
        &mut self,
        entries: &DmaGuard,
        place: usize,
        completed: Result<u32, Status>,
    ) -> Outcome<()> {
        let head = self.submission[0].as_ref().map_or(0, |sq| sq.ring.device_index());
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
