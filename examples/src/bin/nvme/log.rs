//! Log pages (5.14.1) and the events that lead to them (5.2).

use serde::{Deserialize, Serialize};
use vfio_user::WorkCx;
use vfio_user_examples::page;

use crate::features::TEMPERATURE;
use crate::io::{self, BLOCK};
use crate::queues::Queues;
use crate::spec::{Command, Failure, Outcome, Status, ensure, halves, nvm};
use crate::subsystem::EVENT_REQUESTS;

const ERRORS: u8 = 0x01;
const HEALTH: u8 = 0x02;
const FIRMWARE: u8 = 0x03;
/// RAE: events of the kind that the page is about stay masked.
const RETAIN: u32 = 1 << 15;
/// Critical Warning: the temperature is beyond a threshold. Feature 0Bh has the same bit.
pub(crate) const TEMPERATURE_WARNING: u8 = 1 << 1;

/// An asynchronous event, as the result of its request: type, information, log page.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// Error status, invalid doorbell register, log page 1.
    InvalidDoorbellRegister = 0x0001_0000,
    /// Error status, invalid doorbell write value, log page 1.
    InvalidDoorbellValue = 0x0001_0100,
    /// Health status, temperature threshold, log page 2.
    Temperature = 0x0002_0101,
}

/// The events of a type: errors, or health. Reading its log page allows the next one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Events {
    /// One that waits for a request.
    pub(crate) pending: Option<u32>,
    /// One was reported, and the log page has not been read.
    pub(crate) is_masked: bool,
}

/// What log pages count: of reads and of writes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Statistics {
    blocks: [u64; 2],
    commands: [u64; 2],
    errors: u64,
}

impl Statistics {
    /// Counts a command that has succeeded.
    pub(crate) fn count(&mut self, command: &Command) {
        let kind = match command.opcode {
            nvm::READ | nvm::COMPARE => 0,
            nvm::WRITE => 1,
            _ => return,
        };
        self.blocks[kind] = self.blocks[kind].wrapping_add(io::cost(command) / BLOCK);
        self.commands[kind] = self.commands[kind].wrapping_add(1);
    }

    /// The last error, of which no command is the reason.
    fn errors(&self) -> [u8; 64] {
        match self.errors {
            0 => [0; 64],
            // No queue, no command, no place in a command.
            count => page(&[(0, &count.to_le_bytes()), (8, &[0xff; 4]), (14, &[0xff; 2])]),
        }
    }

    fn health(&self, warnings: u8) -> [u8; 512] {
        // Units of 1,000 blocks, rounded up.
        let [read, written] = self.blocks.map(|blocks| blocks.div_ceil(1000));
        let [reads, writes] = self.commands;
        let counts = [read, written, reads, writes].map(|count| u128::from(count).to_le_bytes());
        page(&[
            (0, &[warnings]),
            (1, &TEMPERATURE.to_le_bytes()),
            // All of the spare, which warns at 10 %.
            (3, &[100, 10]),
            (32, counts.as_flattened()),
        ])
    }
}

impl Queues {
    /// Reports an event, now or when a request comes.
    pub(crate) fn raise_event(&mut self, event: Event) {
        let kind = (event as u32 & 0b111) as usize;
        if kind == 0 {
            self.statistics.errors = self.statistics.errors.wrapping_add(1);
        }
        self.events[kind].pending = Some(event as u32);
    }

    /// Reports an event of a type, if there is one and a request waits for it.
    pub(crate) fn report_event(&mut self, cx: &WorkCx, kind: usize) {
        let Events { pending: Some(event), is_masked: false } = self.events[kind] else { return };
        if self.complete_request(cx, 0, Ok(event)).is_ok() {
            self.events[kind] = Events { pending: None, is_masked: true };
        }
    }

    /// Aborts an event request. A transfer that is under way cannot be aborted. Bit 0 of the
    /// result: nothing was aborted.
    pub(crate) fn abort(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let (sq, cid) = halves(command.cdw10);
        let place = self.event_requests.iter().position(|request| sq == 0 && *request == cid);
        let Some(place) = place else { return Ok(1) };
        // It stays in the queue until the guest has read completions.
        ensure(self.has_room(cx, 0, 2), Failure::Interrupted)?;
        self.complete_request(cx, place, Err(Status::ABORTED_BY_REQUEST.into())).map(|()| 0)
    }

    /// Keeps a request for an event.
    pub(crate) fn request_event(&mut self, command: &Command) -> Outcome<u32> {
        let has_room = self.event_requests.len() <= usize::from(EVENT_REQUESTS);
        ensure(has_room, Status::TOO_MANY_EVENT_REQUESTS)?;
        self.event_requests.push(command.cid.get());
        Err(Failure::UnderWay)
    }

    /// Completes a request for an event, if there is one at this place and its completion has room.
    fn complete_request(&mut self, cx: &WorkCx, place: usize, done: Outcome<u32>) -> Outcome<()> {
        let cid = *self.event_requests.get(place).ok_or(Failure::Interrupted)?;
        ensure(self.has_room(cx, 0, 1), Failure::Interrupted)?;
        let mut job = self.job(cx, 0, 0)?;
        job.command.cid = cid.into();
        self.complete(&job, done)?;
        self.event_requests.remove(place);
        Ok(())
    }

    pub(crate) fn get_log_page(&mut self, cx: &WorkCx, command: &Command) -> Outcome<u32> {
        let [number, ..] = command.cdw10.to_bytes();
        let dword = command.cdw10.get();
        let count = u64::from(command.cdw11.get() & 0xffff) << 16 | u64::from(dword >> 16);
        let offset = u64::from(command.cdw13.get()) << 32 | u64::from(command.cdw12.get());
        let page: &[u8] = match number {
            ERRORS => &self.statistics.errors(),
            HEALTH => &self.statistics.health(self.features.warnings()),
            // The first slot is active.
            FIRMWARE => &page::<512>(&[(0, &[1]), (8, b"1.0     ")]),
            _ => return Err(Status::INVALID_LOG_PAGE.into()),
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = page.get(start..).ok_or(Status::INVALID_FIELD)?;
        let len = usize::try_from(4 * (count + 1)).unwrap_or(usize::MAX).min(rest.len());
        self.reply(cx, command, &rest[..len])?;
        if dword & RETAIN == 0 && number != FIRMWARE {
            self.events[usize::from(number - ERRORS)].is_masked = false;
        }
        Ok(0)
    }
}
