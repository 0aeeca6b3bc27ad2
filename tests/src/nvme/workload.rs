//! Transfers of a page each, many of them under way.

use std::thread;
use std::time::{Duration, Instant};

use vfio_user::Result;

use super::command::{Command, Completion, Direction};
use super::controller::Namespace;
use super::latency::Latency;
use super::memory::Memory;
use super::queue::QueuePair;
use super::{PAGE, failed};
use crate::PATIENCE;

/// Polls without a completion before the processor is offered to others: more than a controller
/// takes that completes all commands at once.
const POLLS: u32 = 200_000;

/// Moves pages between a namespace and memory, through one queue pair.
#[derive(Debug)]
pub struct Workload {
    queues: QueuePair,
    namespace: Namespace,
    /// The page of memory of each command that can be under way.
    pages: Vec<u64>,
}

/// A transfer of a page.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// The page of the namespace.
    pub place: u64,
    /// The page of memory.
    pub address: u64,
}

/// Which pages are moved.
pub trait Pattern {
    /// Returns the place of the next transfer; `None` after the last one.
    fn next(&mut self, now: Instant) -> Option<u64>;

    /// Called before a transfer is submitted.
    fn prepare(&mut self, _memory: &Memory, _transfer: Transfer) {}

    /// Called after a transfer has been completed.
    fn finish(&mut self, _memory: &Memory, _transfer: Transfer) {}
}

/// What a run has done.
#[derive(Clone, Debug)]
pub struct Report {
    /// Transfers that were completed.
    pub count: u64,
    /// From the first submission to the last completion.
    pub time: Duration,
    /// From the submission to the completion of each.
    pub latency: Latency,
}

impl Workload {
    /// Creates a workload with at most `depth` commands under way.
    ///
    /// # Panics
    ///
    /// If the queues have no room for them.
    pub fn new(queues: QueuePair, namespace: Namespace, depth: u16) -> Self {
        assert!(u32::from(depth) < queues.size(), "the queues are too small");
        let pages = (0..depth).map(|_| queues.memory().allocate(PAGE)).collect();
        Workload { queues, namespace, pages }
    }

    /// Returns the number of pages of the namespace.
    pub fn places(&self) -> u64 {
        self.namespace.blocks * self.namespace.block / PAGE
    }

    /// Keeps `depth` transfers under way until the pattern ends.
    ///
    /// # Errors
    ///
    /// If a command fails, or is not completed.
    pub fn run(
        &mut self,
        direction: Direction,
        depth: u16,
        pattern: &mut impl Pattern,
    ) -> Result<Report> {
        let start = Instant::now();
        let mut run = Run {
            workload: self,
            pattern,
            direction,
            slots: vec![(0, start); depth.into()],
            under_way: 0,
            report: Report { count: 0, time: Duration::ZERO, latency: Latency::default() },
        };
        for id in 0..depth {
            run.submit(id, start);
        }
        run.workload.queues.ring()?;
        while run.under_way > 0 {
            run.turn()?;
        }
        run.report.time = start.elapsed();
        Ok(run.report)
    }

    /// Returns the next completion.
    #[inline]
    fn wait(&mut self) -> Result<Completion> {
        let mut deadline = None;
        loop {
            for _ in 0..POLLS {
                if let Some(done) = self.queues.poll() {
                    return Ok(done);
                }
            }
            if Instant::now() > *deadline.get_or_insert_with(|| Instant::now() + PATIENCE) {
                return Err(failed("a transfer is not completed"));
            }
            thread::yield_now();
        }
    }
}

struct Run<'a, P> {
    workload: &'a mut Workload,
    pattern: &'a mut P,
    direction: Direction,
    /// The place and the submission of each command, by its identifier.
    slots: Vec<(u64, Instant)>,
    under_way: u16,
    report: Report,
}

impl<P: Pattern> Run<'_, P> {
    /// Waits for completions, and submits as many commands as were completed.
    fn turn(&mut self) -> Result<()> {
        let mut done = self.workload.wait()?;
        let now = Instant::now();
        loop {
            self.finish(done, now)?;
            self.submit(done.id, now);
            match self.workload.queues.poll() {
                Some(more) => done = more,
                None => break,
            }
        }
        self.workload.queues.ring()?;
        self.workload.queues.release()
    }

    /// Submits the next transfer, unless the pattern has ended.
    #[inline]
    fn submit(&mut self, id: u16, now: Instant) {
        let Some(place) = self.pattern.next(now) else { return };
        let Workload { queues, namespace, pages } = &mut *self.workload;
        let transfer = Transfer { place, address: pages[usize::from(id)] };
        self.pattern.prepare(queues.memory(), transfer);
        self.slots[usize::from(id)] = (place, now);
        let blocks = PAGE / namespace.block;
        let count = u32::try_from(blocks).unwrap_or(u32::MAX);
        let place = (place * blocks, count);
        let prp = [transfer.address, 0];
        let command = Command::transfer(self.direction, namespace.nsid, place, prp);
        queues.submit(&command.with_id(id));
        self.under_way += 1;
    }

    #[inline]
    fn finish(&mut self, done: Completion, now: Instant) -> Result<()> {
        let slot = self.slots.get(usize::from(done.id)).filter(|_| done.status == 0);
        let Some((place, submitted)) = slot else {
            return Err(failed(format_args!("a transfer failed: {done:x?}")));
        };
        let address = self.workload.pages[usize::from(done.id)];
        self.report.latency.record(now - *submitted);
        self.report.count += 1;
        self.under_way -= 1;
        let transfer = Transfer { place: *place, address };
        self.pattern.finish(self.workload.queues.memory(), transfer);
        Ok(())
    }
}
