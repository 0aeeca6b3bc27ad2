//! The admin command set (5).

use vfio_user::{DmaGuard, Ring, ShadowDoorbells, WorkCx};
use vfio_user_examples::DiskQueue;

use crate::features::{self, EVENTS, NUMBER_OF_QUEUES, TEMPERATURE_THRESHOLD};
use crate::identify::{self, EVENT_REQUESTS};
use crate::log::Event;
use crate::prp;
use crate::queues::{DOORBELLS, FIRST_IO, Kind, MAX_ENTRIES, QUEUES, Queue, Queues};
use crate::spec::{
    BROADCAST, Command, ENTRY_SIZES, Failure, Outcome, Status, admin, ensure, halves,
};
use crate::under_way::Job;

impl Queues {
    /// Performs an admin command. Returns its result; `None` if it is completed later.
    pub(crate) fn administer(&mut self, job: &Job<'_>) -> Outcome<Option<u32>> {
        let Job { cx, command, entries, .. } = *job;
        // No fused operations, and no SGLs (4.1).
        ensure(command.flags & 0xc3 == 0, Status::INVALID_FIELD)?;
        let done = match command.opcode {
            admin::IDENTIFY => self.identify(cx, command),
            admin::CREATE_CQ => self.create_queue(cx, command, Kind::Completion),
            admin::CREATE_SQ => self.create_queue(cx, command, Kind::Submission),
            admin::DELETE_SQ => self.delete_queue(cx, command, Kind::Submission),
            admin::DELETE_CQ => self.delete_queue(cx, command, Kind::Completion),
            admin::SET_FEATURES => self.set_features(command),
            admin::GET_FEATURES => self.features.get(command),
            admin::GET_LOG_PAGE => self.get_log_page(cx, command),
            admin::ABORT => self.abort(cx, entries, command),
            admin::DOORBELL_BUFFER_CONFIG => self.move_doorbells(cx, command),
            admin::ASYNC_EVENT_REQUEST => return self.request_event(command),
            _ => Err(Status::INVALID_OPCODE.into()),
        };
        done.map(Some)
    }

    /// Returns data of a command to the guest.
    pub(crate) fn reply(&self, cx: &WorkCx, command: &Command, data: &[u8]) -> Outcome<u32> {
        let memory = prp::list(cx.dma(), command, self.page, data.len() as u64)?;
        memory.scatter(cx.dma(), |_, held| Ok::<_, Failure>(held.write(0, data)?)).map(|()| 0)
    }

    fn identify(&self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (nsid, subsystem) = (command.nsid.get(), &self.subsystem);
        let page = match command.cdw10.get() & 0xff {
            0x00 => identify::namespace(subsystem.namespace(nsid)?.1),
            0x01 => identify::controller(subsystem),
            0x02 if nsid >= BROADCAST - 1 => return Err(Status::INVALID_NAMESPACE.into()),
            0x02 => identify::active(subsystem, nsid),
            0x03 => subsystem.namespace(nsid).map(|_| identify::descriptors(subsystem, nsid))?,
            _ => return Err(Status::INVALID_FIELD.into()),
        };
        self.reply(cx, command, &page)
    }

    /// Create I/O Submission Queue and Create I/O Completion Queue (5.4, 5.3).
    fn create_queue(&mut self, cx: &WorkCx, command: &Command, kind: Kind) -> Outcome<u32> {
        let ((id, last), (flags, target)) = (halves(command.cdw10), halves(command.cdw11));
        let is_new = (1..QUEUES).contains(&id) && self.queue(id, kind).is_none();
        ensure(is_new, Status::INVALID_QUEUE_ID)?;
        let has_size = self.entry_sizes[kind as usize] == ENTRY_SIZES[kind as usize];
        let has_entries = (1..MAX_ENTRIES).contains(&last.into());
        ensure(has_size && has_entries, Status::INVALID_QUEUE_SIZE)?;
        // CAP.CQR: queues are contiguous.
        ensure(flags & 1 != 0, Status::INVALID_FIELD)?;
        ensure(command.prp1.get().is_multiple_of(self.page), Status::INVALID_PRP_OFFSET)?;
        let has_target = kind == Kind::Submission || flags & 2 != 0;
        match kind {
            Kind::Submission => {
                let has_cq = target > 0 && self.queue(target, Kind::Completion).is_some();
                ensure(has_cq, Status::CQ_INVALID)?;
            }
            Kind::Completion => ensure(!has_target || target < QUEUES, Status::INVALID_VECTOR)?,
        }
        let target = has_target.then_some(target);
        let ring = Ring::new(command.prp1.get(), u32::from(last) + 1);
        self.all[kind.doorbell(id)] = Some(Queue { ring, target, under_way: 0 });
        self.count();
        self.doorbells.open(cx.shared(0), kind.doorbell(id));
        if let Some(shadow) = &self.shadow {
            // If it is not in memory any more, the queue is never rung.
            let _ = shadow.clear(cx.dma(), kind.doorbell(id));
        }
        Ok(0)
    }

    /// Deletes an I/O queue, once all commands that were fetched are completed.
    fn delete_queue(&mut self, cx: &WorkCx, command: &Command, kind: Kind) -> Outcome<u32> {
        let (id, _) = halves(command.cdw10);
        ensure(id > 0 && self.queue(id, kind).is_some(), Status::INVALID_QUEUE_ID)?;
        let mut submission = self.all.iter().step_by(2).flatten();
        let is_used = kind == Kind::Completion && submission.any(|sq| sq.target == Some(id));
        ensure(!is_used, Status::INVALID_QUEUE_DELETION)?;
        if self.queue(id, kind).is_some_and(|queue| queue.under_way > 0) {
            // It stays in the queue until they are.
            return Err(Failure::Interrupted);
        }
        self.all[kind.doorbell(id)] = None;
        self.count();
        self.doorbells.close(cx.shared(0), kind.doorbell(id));
        Ok(0)
    }

    fn set_features(&mut self, command: &Command) -> Outcome<u32> {
        let feature = features::find(command)?;
        let is_early = self.all[FIRST_IO..].iter().all(Option::is_none);
        ensure(is_early || feature != NUMBER_OF_QUEUES, Status::COMMAND_SEQUENCE_ERROR)?;
        let had_cache = self.features.has_write_cache();
        let result = self.features.set(command)?;
        if matches!(feature, TEMPERATURE_THRESHOLD | EVENTS) && self.features.has_event() {
            self.raise_event(Event::Temperature);
        }
        if had_cache && !self.features.has_write_cache() {
            self.finish(DiskQueue::wait);
            self.subsystem.flush()?;
        }
        Ok(result)
    }

    /// Aborts an event request. A transfer that is under way cannot be aborted. Bit 0 of the
    /// result: nothing was aborted.
    fn abort(&mut self, cx: &WorkCx, entries: &DmaGuard, command: &Command) -> Outcome<u32> {
        let (sq, cid) = halves(command.cdw10);
        let place = self.event_requests.iter().position(|request| sq == 0 && *request == cid);
        let Some(place) = place else { return Ok(1) };
        if !self.has_room(cx, 0, 2) {
            // It stays in the queue until the guest has read completions.
            return Err(Failure::Interrupted);
        }
        self.complete_event_request(entries, place, Err(Status::ABORTED_BY_REQUEST))?;
        Ok(0)
    }

    fn request_event(&mut self, command: &Command) -> Outcome<Option<u32>> {
        let has_room = self.event_requests.len() <= usize::from(EVENT_REQUESTS);
        ensure(has_room, Status::TOO_MANY_EVENT_REQUESTS)?;
        self.event_requests.push(command.cid.get());
        Ok(None)
    }

    /// Doorbell Buffer Config (5.7).
    fn move_doorbells(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (bells, events) = (command.prp1.get(), command.prp2.get());
        let shadow = ShadowDoorbells::new(bells, events);
        ensure(shadow.is_aligned(self.page), Status::INVALID_FIELD)?;
        shadow.check(cx.dma(), DOORBELLS).map_err(|error| match error.into() {
            Failure::Status(_) => Status::INVALID_FIELD.into(),
            Failure::Interrupted => Failure::Interrupted,
        })?;
        for doorbell in FIRST_IO..DOORBELLS {
            self.look(cx, doorbell);
            if let Some(queue) = &self.all[doorbell] {
                shadow.start(cx.dma(), doorbell, queue.ring.driver_index())?;
            }
        }
        self.shadow = Some(shadow);
        Ok(0)
    }
}
