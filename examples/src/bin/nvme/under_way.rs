//! Commands whose transfers are under way between a file and memory, while others are performed.

use std::sync::atomic::Ordering;

use vfio_user::{DmaGuard, WorkCx};
use vfio_user_examples::{DiskError, DiskQueue, Transfer};

use crate::queues::{Kind, Queues};
use crate::spec::{Command, Failure, Outcome, Status};
use crate::subsystem::Namespace;

/// A command that is performed: what the worker has for it, where it comes from, and where it is
/// completed.
pub(crate) struct Job<'a> {
    pub(crate) cx: &'a WorkCx,
    pub(crate) command: &'a Command,
    pub(crate) sq: u16,
    pub(crate) cq: u16,
    /// The memory of the completion queue.
    pub(crate) entries: &'a DmaGuard,
}

/// A command that has left its queue. It is completed when its transfer has ended.
#[derive(Debug)]
pub(crate) struct UnderWay {
    command: Command,
    sq: u16,
    cq: u16,
    /// Of the session in which the command came: it is not completed after a reset.
    entries: DmaGuard,
}

/// A command, and the result of its transfer.
type Ended = (UnderWay, Result<(), DiskError>);

impl UnderWay {
    fn new(&Job { command, sq, cq, entries, .. }: &Job<'_>) -> Self {
        UnderWay { command: command.clone(), sq, cq, entries: entries.clone() }
    }
}

impl Queues {
    /// Starts the transfer of a command, or does it. Returns whether it is done.
    pub(crate) fn start(
        &self,
        job: &Job<'_>,
        namespace: Namespace<'_>,
        transfer: &Transfer<'_>,
    ) -> Outcome<bool> {
        Ok(self.transfers.start(namespace, transfer, || UnderWay::new(job))?)
    }

    /// Completes the commands whose transfers `next` returns. Returns how many.
    pub(crate) fn finish(&mut self, next: impl Fn(&DiskQueue<UnderWay>) -> Option<Ended>) -> usize {
        let transfers = self.transfers.clone();
        std::iter::from_fn(|| next(&transfers)).map(|ended| self.end(ended)).count()
    }

    fn end(&mut self, (UnderWay { command, sq, cq, entries }, done): Ended) {
        let completed = done.map(|()| 0).map_err(|error| match error.into() {
            Failure::Status(status) => status,
            Failure::Interrupted => Status::DATA_TRANSFER_ERROR,
        });
        let head = self.queue(sq, Kind::Submission).map_or(0, |sq| sq.ring.device_index());
        match self.complete(&entries, cq, (sq, head), command.cid.get(), completed) {
            Ok(()) => {
                completed.is_ok().then(|| self.statistics.count(&command));
                self.add_under_way(sq, cq, -1);
            }
            Err(Failure::Interrupted) => {}
            Err(Failure::Status(_)) => self.is_fatal.store(true, Ordering::Relaxed),
        }
    }

    /// Counts commands of two queues that are under way.
    pub(crate) fn add_under_way(&mut self, sq: u16, cq: u16, count: i32) {
        for doorbell in [Kind::Submission.doorbell(sq), Kind::Completion.doorbell(cq)] {
            if let Some(queue) = &mut self.all[doorbell] {
                queue.under_way = queue.under_way.saturating_add_signed(count);
            }
        }
    }
}
