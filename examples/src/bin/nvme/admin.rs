//! The admin command set (5).

use vfio_user::{Ring, ShadowDoorbells, WorkCx};
use vfio_user_examples::DiskQueue;

use crate::data;
use crate::features::{self, EVENTS, NUMBER_OF_QUEUES, TEMPERATURE_THRESHOLD, WRITE_CACHE};
use crate::log::Event;
use crate::queues::{DOORBELLS, FIRST_IO, Kind, MAX_ENTRIES, QUEUES, Queue, Queues};
use crate::spec::{Command, ENTRY_SIZES, Failure, Outcome, Status, admin, ensure, halves};
use crate::turn::Job;

impl Queues {
    /// Performs an admin command. Returns its result.
    pub(crate) fn administer(&mut self, cx: &WorkCx, job: &Job) -> Outcome<u32> {
        let command = &job.command;
        // No fused operations, and no SGLs (4.1).
        ensure(command.flags & 0xc3 == 0, Status::INVALID_FIELD)?;
        match command.opcode {
            admin::IDENTIFY => self.reply(cx, command, &self.common.subsystem.identify(command)?),
            admin::CREATE_CQ => self.create_queue(cx, command, Kind::Completion),
            admin::CREATE_SQ => self.create_queue(cx, command, Kind::Submission),
            admin::DELETE_SQ => self.delete_queue(cx, command, Kind::Submission),
            admin::DELETE_CQ => self.delete_queue(cx, command, Kind::Completion),
            admin::SET_FEATURES => self.set_features(command),
            admin::GET_FEATURES => self.features.get(command),
            admin::GET_LOG_PAGE => self.get_log_page(cx, command),
            admin::ABORT => self.abort(cx, command),
            admin::DOORBELL_BUFFER_CONFIG => self.move_doorbells(cx, command),
            admin::ASYNC_EVENT_REQUEST => self.request_event(command),
            _ => Err(Status::INVALID_OPCODE.into()),
        }
    }

    /// Returns data of a command to the guest.
    pub(crate) fn reply(&self, cx: &WorkCx, command: &Command, data: &[u8]) -> Outcome<u32> {
        let memory = data::list(cx.dma(), command, self.page, data.len() as u64)?;
        memory.scatter(cx.dma(), |_, held| Ok::<_, Failure>(held.write(0, data)?)).map(|()| 0)
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
        let target = (kind == Kind::Submission || flags & 2 != 0).then_some(target);
        let has_cq = |id| id > 0 && self.queue(id, Kind::Completion).is_some();
        match kind {
            Kind::Submission => ensure(target.is_some_and(has_cq), Status::CQ_INVALID)?,
            Kind::Completion => ensure(target.is_none_or(|n| n < QUEUES), Status::INVALID_VECTOR)?,
        }
        let ring = Ring::new(command.prp1.get(), u32::from(last) + 1);
        self.all[kind.doorbell(id)] = Some(Queue { ring, target });
        self.list();
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
        // It stays in the queue until they are.
        ensure(self.common.transfers.count(kind.doorbell(id)) == 0, Failure::Interrupted)?;
        self.all[kind.doorbell(id)] = None;
        self.list();
        self.doorbells.close(cx.shared(0), kind.doorbell(id));
        Ok(0)
    }

    fn set_features(&mut self, command: &Command) -> Outcome<u32> {
        let feature = features::find(command)?;
        let is_early = self.all[FIRST_IO..].iter().all(Option::is_none);
        ensure(is_early || feature != NUMBER_OF_QUEUES, Status::COMMAND_SEQUENCE_ERROR)?;
        let result = self.features.set(command)?;
        if matches!(feature, TEMPERATURE_THRESHOLD | EVENTS) && self.features.has_event() {
            self.raise_event(Event::Temperature);
        }
        if feature == WRITE_CACHE && !self.features.has_write_cache() {
            self.finish(DiskQueue::wait);
            self.common.subsystem.flush()?;
        }
        Ok(result)
    }

    /// Doorbell Buffer Config (5.7).
    fn move_doorbells(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let shadow = ShadowDoorbells::new(command.prp1.get(), command.prp2.get());
        ensure(shadow.is_aligned(self.page), Status::INVALID_FIELD)?;
        shadow.check(cx.dma(), DOORBELLS).map_err(|error| match error.into() {
            Failure::Status(_) => Status::INVALID_FIELD.into(),
            failure => failure,
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
