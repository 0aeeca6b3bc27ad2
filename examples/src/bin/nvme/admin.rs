//! The admin command set (5).

use vfio_user::{DmaGuard, Ring, WorkCx};

use crate::doorbells::{FIRST_IO, Shadow};
use crate::failure::{Failure, Outcome};
use crate::features::{self, EVENTS, NUMBER_OF_QUEUES, TEMPERATURE_THRESHOLD};
use crate::identify::{self, EVENT_REQUESTS};
use crate::log::Event;
use crate::prp;
use crate::queues::{CompletionQueue, MAX_ENTRIES, QUEUES, Queues, SubmissionQueue};
use crate::spec::{BROADCAST, Command, ENTRY_SIZES, Status, admin, halves};

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
            admin::DELETE_SQ => self.delete_sq(cx, command),
            admin::DELETE_CQ => self.delete_cq(cx, command),
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
            0x00 => identify::namespace(subsystem.namespace(nsid)?),
            0x01 => identify::controller(subsystem),
            0x02 if nsid >= BROADCAST - 1 => return Err(Status::INVALID_NAMESPACE.into()),
            0x02 => identify::active(subsystem, nsid),
            0x03 => subsystem.namespace(nsid).map(|_| identify::descriptors(subsystem, nsid))?,
            _ => return Err(Status::INVALID_FIELD.into()),
        };
        self.reply(cx, command, &page)
    }

    fn create_cq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (id, ring) = self.new_queue(command, 1)?;
        let (flags, vector) = halves(command.cdw11);
        let has_interrupts = flags & 2 != 0;
        if has_interrupts && vector >= QUEUES {
            return Err(Status::INVALID_VECTOR.into());
        }
        let queue = CompletionQueue::new(ring, has_interrupts.then_some(vector));
        self.completion[id] = Some(queue);
        self.doorbells.open(cx, 2 * id + 1);
        Ok(0)
    }

    fn create_sq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (id, ring) = self.new_queue(command, 0)?;
        let (_, cq) = halves(command.cdw11);
        if cq == 0 || self.completion.get(usize::from(cq)).is_none_or(Option::is_none) {
            return Err(Status::CQ_INVALID.into());
        }
        self.submission[id] = Some(SubmissionQueue { ring, cq });
        self.count();
        self.doorbells.open(cx, 2 * id);
        Ok(0)
    }

    /// Returns the number of a queue that is created, and its ring. `kind` is 0 for a submission
    /// queue, 1 for a completion queue.
    fn new_queue(&mut self, command: &Command, kind: usize) -> Outcome<(usize, Ring)> {
        let (id, last) = halves(command.cdw10);
        if id == 0 || id >= QUEUES || self.ring(2 * usize::from(id) + kind).is_some() {
            return Err(Status::INVALID_QUEUE_ID.into());
        }
        let has_size = self.entry_sizes[kind] == ENTRY_SIZES[kind];
        if last == 0 || u32::from(last) >= MAX_ENTRIES || !has_size {
            return Err(Status::INVALID_QUEUE_SIZE.into());
        }
        // CAP.CQR: queues are contiguous.
        if command.cdw11.get() & 1 == 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        if !command.prp1.get().is_multiple_of(self.page) {
            return Err(Status::INVALID_PRP_OFFSET.into());
        }
        Ok((id.into(), Ring::new(command.prp1.get(), u32::from(last) + 1)))
    }

    /// All commands of the queue that were fetched are completed.
    fn delete_sq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let id = self.existing_queue(command, 0)?;
        self.submission[id] = None;
        self.count();
        self.doorbells.registers.close(cx.shared(0), 2 * id);
        Ok(0)
    }

    fn delete_cq(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let id = self.existing_queue(command, 1)?;
        if self.submission.iter().flatten().any(|sq| usize::from(sq.cq) == id) {
            return Err(Status::INVALID_QUEUE_DELETION.into());
        }
        self.completion[id] = None;
        self.doorbells.registers.close(cx.shared(0), 2 * id + 1);
        Ok(0)
    }

    /// Returns the number of an I/O queue that exists, `kind` as for a new one.
    fn existing_queue(&mut self, command: &Command, kind: usize) -> Outcome<usize> {
        let (id, _) = halves(command.cdw10);
        let exists = (1..QUEUES).contains(&id) && self.ring(2 * usize::from(id) + kind).is_some();
        if exists { Ok(id.into()) } else { Err(Status::INVALID_QUEUE_ID.into()) }
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
        self.complete_event_request(entries, place, Err(Status::ABORTED_BY_REQUEST))?;
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
        for doorbell in FIRST_IO..2 * usize::from(QUEUES) {
            self.look(cx, doorbell);
            if let Some(ring) = self.ring(doorbell) {
                shadow.start(cx.dma(), doorbell, ring.driver_index())?;
            }
        }
        self.doorbells.shadow = Some(shadow);
        Ok(0)
    }
}
