//! The admin command set (5).

use vfio_user::{DmaGuard, WorkCx};

use crate::data::{self, Use};
use crate::disk::{Failure, Outcome};
use crate::doorbells::Shadow;
use crate::features::{self, EVENTS, NUMBER_OF_QUEUES, TEMPERATURE_THRESHOLD};
use crate::identify::{self, EVENT_REQUESTS};
use crate::log::Event;
use crate::queues::{CompletionQueue, MAX_ENTRIES, QUEUES, Queues, SubmissionQueue};
use crate::spec::{BROADCAST, Command, Status, admin, halves};

impl Queues {
    /// Performs an admin command. Returns its result; `None` if it is completed later.
    pub(crate) fn administer(
        &mut self,
        cx: &WorkCx,
        entries: &DmaGuard,
        command: &Command,
    ) -> Outcome<Option<u32>> {
        // No fused operations, and no SGLs (4.1).
        if command.flags & 0xc3 != 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        let done = match command.opcode {
            admin::IDENTIFY => self.identify(cx, command),
            admin::CREATE_CQ => self.create_cq(cx, command),
            admin::CREATE_SQ => self.create_sq(cx, command),
            admin::DELETE_SQ => self.delete_sq(command),
            admin::DELETE_CQ => self.delete_cq(command),
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

    fn identify(&self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let nsid = command.nsid.get();
        let subsystem = &self.subsystem;
        let page = match command.cdw10.get() & 0xff {
            0x00 => identify::namespace(subsystem.namespace(nsid)?),
            0x01 => identify::controller(subsystem),
            0x02 if nsid >= BROADCAST - 1 => return Err(Status::INVALID_NAMESPACE.into()),
            0x02 => identify::active(subsystem, nsid),
            0x03 => subsystem.namespace(nsid).map(|_| identify::descriptors(subsystem, nsid))?,
            _ => return Err(Status::INVALID_FIELD.into()),
        };
        self.hold(cx, command, 4096)?.write(0, &page)?;
        Ok(0)
    }

    fn create_cq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (flags, vector) = halves(command.cdw11);
        let (id, size) = self.new_queue(command)?;
        if self.completion[usize::from(id)].is_some() {
            return Err(Status::INVALID_QUEUE_ID.into());
        }
        if flags & 2 != 0 && vector >= QUEUES {
            return Err(Status::INVALID_VECTOR.into());
        }
        let vector = (flags & 2 != 0).then_some(vector);
        let queue = CompletionQueue::new(command.prp1.get(), size, vector);
        self.completion[usize::from(id)] = Some(queue);
        self.doorbells.start(cx, 2 * id + 1);
        Ok(0)
    }

    fn create_sq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (_, cq) = halves(command.cdw11);
        let (id, size) = self.new_queue(command)?;
        if self.submission[usize::from(id)].is_some() {
            return Err(Status::INVALID_QUEUE_ID.into());
        }
        let has_cq = self.completion.get(usize::from(cq)).is_some_and(Option::is_some);
        if cq == 0 || !has_cq {
            return Err(Status::CQ_INVALID.into());
        }
        let queue = SubmissionQueue { base: command.prp1.get(), size, head: 0, tail: 0, cq };
        self.submission[usize::from(id)] = Some(queue);
        self.count();
        self.doorbells.start(cx, 2 * id);
        Ok(0)
    }

    /// Returns the number of a queue that is created, and its entries.
    fn new_queue(&self, command: &Command) -> Outcome<(u16, u32)> {
        let (id, last) = halves(command.cdw10);
        if id == 0 || id >= QUEUES {
            return Err(Status::INVALID_QUEUE_ID.into());
        }
        if last == 0 || u32::from(last) >= MAX_ENTRIES {
            return Err(Status::INVALID_QUEUE_SIZE.into());
        }
        // CAP.CQR: queues are contiguous.
        if command.cdw11.get() & 1 == 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        if !command.prp1.get().is_multiple_of(self.page) {
            return Err(Status::INVALID_PRP_OFFSET.into());
        }
        Ok((id, u32::from(last) + 1))
    }

    /// All commands of the queue that were fetched are completed.
    fn delete_sq(&mut self, command: &Command) -> Outcome<u32> {
        let (id, _) = halves(command.cdw10);
        let queue = self.submission.get_mut(usize::from(id)).filter(|_| id > 0);
        let deleted = queue.and_then(Option::take);
        self.count();
        match deleted {
            Some(_) => Ok(0),
            None => Err(Status::INVALID_QUEUE_ID.into()),
        }
    }

    fn delete_cq(&mut self, command: &Command) -> Outcome<u32> {
        let (id, _) = halves(command.cdw10);
        if self.submission.iter().flatten().any(|sq| sq.cq == id && id > 0) {
            return Err(Status::INVALID_QUEUE_DELETION.into());
        }
        let queue = self.completion.get_mut(usize::from(id)).filter(|_| id > 0);
        match queue.and_then(Option::take) {
            Some(_) => Ok(0),
            None => Err(Status::INVALID_QUEUE_ID.into()),
        }
    }

    fn set_features(&mut self, command: &Command) -> Outcome<u32> {
        let feature = features::find(command)?;
        if feature == NUMBER_OF_QUEUES && self.completion[1..].iter().any(Option::is_some) {
            return Err(Status::COMMAND_SEQUENCE_ERROR.into());
        }
        let had_cache = self.features.has_write_cache();
        let result = self.features.set(command)?;
        if matches!(feature, TEMPERATURE_THRESHOLD | EVENTS) && self.features.has_event() {
            self.raise_event(Event::Temperature);
        }
        if had_cache && !self.features.has_write_cache() {
            self.subsystem.flush()?;
        }
        Ok(result)
    }

    /// Commands are completed before the next one is fetched, so only event requests wait. Bit 0 of
    /// the result: nothing was aborted.
    fn abort(&mut self, cx: &WorkCx, entries: &DmaGuard, command: &Command) -> Outcome<u32> {
        let (sq, cid) = halves(command.cdw10);
        let place = self.event_requests.iter().position(|request| sq == 0 && *request == cid);
        let Some(place) = place else { return Ok(1) };
        if !self.has_room(cx, 0, 2) {
            // It stays in the queue until the guest has read completions.
            return Err(Failure::Interrupted);
        }
        let head = self.submission[0].as_ref().map_or(0, |sq| sq.head);
        self.complete(entries, 0, (0, head), cid, Err(Status::ABORTED_BY_REQUEST))?;
        self.event_requests.remove(place);
        Ok(0)
    }

    fn request_event(&mut self, command: &Command) -> Outcome<Option<u32>> {
        if self.event_requests.len() > usize::from(EVENT_REQUESTS) {
            return Err(Status::TOO_MANY_EVENT_REQUESTS.into());
        }
        self.event_requests.push(command.cid.get());
        Ok(None)
    }

    /// Doorbell Buffer Config (5.7).
    fn move_doorbells(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let shadow = Shadow { bells: command.prp1.get(), events: command.prp2.get() };
        if !shadow.is_aligned(self.page) {
            return Err(Status::INVALID_FIELD.into());
        }
        shadow.check(cx.dma()).map_err(|error| match error.into() {
            Failure::Status(_) => Status::INVALID_FIELD.into(),
            Failure::Interrupted => Failure::Interrupted,
        })?;
        let Queues { submission, completion, doorbells, .. } = self;
        let tails = (0..).step_by(2).zip(submission).filter_map(|(bell, sq)| {
            let SubmissionQueue { tail, size, .. } = sq.as_mut()?;
            Some((bell, tail, *size))
        });
        let heads = (1..).step_by(2).zip(completion).filter_map(|(bell, cq)| {
            let CompletionQueue { head, size, .. } = cq.as_mut()?;
            Some((bell, head, *size))
        });
        doorbells.move_to(cx, shadow, tails.chain(heads))?;
        Ok(0)
    }

    pub(crate) fn hold(&self, cx: &WorkCx, command: &Command, len: u64) -> Outcome<DmaGuard> {
        data::hold_pages(cx.dma(), command, self.page, len, Use::Write)
    }
}
