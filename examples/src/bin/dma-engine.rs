//! A DMA engine: copies memory on a thread of its own, as a ring of descriptors in guest memory
//! describes.
//!
//! A descriptor has 24 bytes: source (u64), target (u64), length (u32, of which no more than 1 MiB
//! is copied) and status (u32), which becomes 1 on success or 2 on failure. The driver fills
//! descriptors, then writes `tail`. Each finished descriptor advances `head` and raises the
//! interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{
    Cx, Device, DmaError, DmaGuard, PciDevice, Remote, ResetKind, Result, Resumed, SessionDma,
};

/// Bytes of a descriptor, and the offset of the status in it.
const SIZE: usize = 24;
const STATUS: u64 = 20;
const MAX_LENGTH: u64 = 1 << 20;
const DONE: u32 = 1;
const FAILED: u32 = 2;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xd3a0, class = 0x08_0180)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct DmaEngine {
    /// Where the ring starts: an IOVA.
    #[reg(0x00)]
    ring: u64,
    /// How many descriptors it has; they are numbered from 0.
    #[reg(0x08, mask = 0xffff)]
    entries: u32,
    /// The first descriptor that is not to be done yet.
    #[reg(0x0c, on_write = Self::submit)]
    tail: u32,
    /// The first one that is not finished.
    #[reg(0x10, ro)]
    head: u32,
    /// Counts those that failed.
    #[reg(0x14, rc)]
    failures: u32,
    /// The first one that the worker does not know of.
    next: u32,
    #[migrate(skip)]
    worker: Option<Sender<Job>>,
    /// What belongs to an earlier epoch is given up.
    #[migrate(skip)]
    epoch: Arc<AtomicU32>,
}

/// The descriptors from `at` up to `tail`.
struct Job {
    /// The memory and the mailbox of the client that submitted them, and of no later one.
    dma: SessionDma,
    done: Remote<Finished>,
    epoch: u32,
    ring: u64,
    entries: u32,
    at: u32,
    tail: u32,
}

/// An event: one more descriptor is finished.
#[derive(Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Finished {
    epoch: u32,
    head: u32,
    copied: bool,
}

impl Device for DmaEngine {
    type Event = Finished;

    fn start(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        let (worker, jobs) = channel();
        let epoch = Arc::clone(&self.epoch);
        // The thread ends when the device drops the other end.
        thread::Builder::new().spawn(move || work(&jobs, &epoch))?;
        self.worker = Some(worker);
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, Finished { epoch, head, copied }: Finished) {
        if epoch == self.epoch.load(Ordering::Relaxed) {
            self.head = head;
            self.failures = self.failures.saturating_add(u32::from(!copied));
            cx.irq(0).raise();
        }
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
        // The worker has stopped at `head`: its finished descriptors are reported before the device
        // stops.
        self.abandon();
        self.next = self.head;
        self.run_to_tail(cx);
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.abandon();
        self.next = 0;
    }
}

impl DmaEngine {
    fn submit(&mut self, cx: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.run_to_tail(cx);
    }

    fn run_to_tail(&mut self, cx: &Cx<'_, Self>) {
        let (Some(worker), true) = (&self.worker, self.tail < self.entries) else { return };
        let epoch = self.epoch.load(Ordering::Relaxed);
        let (ring, entries, at, tail) = (self.ring, self.entries, self.next, self.tail);
        let (dma, done) = (cx.dma().for_session(), cx.session_remote());
        if worker.send(Job { dma, done, epoch, ring, entries, at, tail }).is_ok() {
            self.next = tail;
        }
    }

    fn abandon(&mut self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

fn work(jobs: &Receiver<Job>, current: &AtomicU32) {
    for Job { dma, done, epoch, ring, entries, mut at, tail } in jobs {
        while at != tail {
            // Held until the event is posted, so that the device does not stop in between.
            let descriptor = dma.map(ring.wrapping_add(u64::from(at) * SIZE as u64), SIZE);
            if epoch != current.load(Ordering::Relaxed) {
                break;
            }
            let outcome = match &descriptor {
                Ok(descriptor) => perform(&dma, descriptor),
                Err(error) => Outcome::of(error),
            };
            if outcome == Outcome::Interrupted {
                break;
            }
            at = if at + 1 < entries { at + 1 } else { 0 };
            let copied = outcome == Outcome::Copied;
            if done.post(Finished { epoch, head: at, copied }).is_err() {
                break;
            }
        }
    }
}

/// The outcome of a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Copied,
    Failed,
    /// The device stopped, or its client disconnected: no other status was written.
    Interrupted,
}

impl Outcome {
    fn of(error: &DmaError) -> Self {
        if error.is_interruption() { Outcome::Interrupted } else { Outcome::Failed }
    }
}

/// Performs a descriptor, and writes its status.
fn perform(dma: &SessionDma, descriptor: &DmaGuard) -> Outcome {
    let copied = Buffers::hold(dma, descriptor).and_then(|buffers| buffers.copy());
    let (outcome, status) = match copied.map_err(|error| Outcome::of(&error)) {
        Ok(()) => (Outcome::Copied, DONE),
        Err(Outcome::Interrupted) => return Outcome::Interrupted,
        Err(outcome) => (outcome, FAILED),
    };
    match descriptor.write(STATUS, &status.to_le_bytes()) {
        Ok(()) => outcome,
        Err(error) => Outcome::of(&error),
    }
}

/// The resources of a copy, all acquired before any effect that the guest can see: missing memory
/// and a stopping device are detected here.
struct Buffers {
    source: DmaGuard,
    target: DmaGuard,
    length: usize,
}

impl Buffers {
    fn hold(dma: &SessionDma, descriptor: &DmaGuard) -> Result<Self, DmaError> {
        let (source, target) = (word(descriptor, 0)?, word(descriptor, 8)?);
        let length = (word(descriptor, 16)? & 0xffff_ffff).min(MAX_LENGTH) as usize;
        let source = dma.map_readable(source, length)?;
        Ok(Buffers { source, target: dma.map_writable(target, length)?, length })
    }

    fn copy(&self) -> Result<(), DmaError> {
        let mut bytes = [0; 4096];
        for at in (0..self.length).step_by(bytes.len()) {
            let part = &mut bytes[..4096.min(self.length - at)];
            self.source.read(at as u64, part)?;
            self.target.write(at as u64, part)?;
        }
        Ok(())
    }
}

fn word(descriptor: &DmaGuard, offset: u64) -> Result<u64, DmaError> {
    let mut bytes = [0; 8];
    descriptor.read(offset, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn main() -> Result<()> {
    vfio_user::main(DmaEngine::default)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use vfio_user::Bench;

    vfio_user::device_tests!(DmaEngine, DmaEngine::default);

    const RING: u64 = 0x1000;
    const PATIENCE: Duration = Duration::from_secs(10);

    fn engine() -> Bench<DmaEngine> {
        let mut engine = Bench::new(DmaEngine::default()).unwrap();
        engine.write(0, 0x00, RING);
        engine.write(0, 0x08, 4_u32);
        engine
    }

    fn describe(engine: &Bench<DmaEngine>, at: u64, source: u64, target: u64, length: u64) {
        let words = [source, target, length].map(u64::to_le_bytes);
        engine.write_memory(RING + at * SIZE as u64, words.as_flattened());
    }

    fn wait_for_head(engine: &mut Bench<DmaEngine>, head: u32) {
        while engine.read::<u32>(0, 0x10) != head {
            engine.wait_irq(0, PATIENCE).unwrap();
        }
    }

    fn status(engine: &Bench<DmaEngine>, at: u64) -> u8 {
        let mut status = [0];
        engine.read_memory(RING + at * SIZE as u64 + STATUS, &mut status);
        status[0]
    }

    #[test]
    fn it_copies_around_the_end_of_the_ring() {
        let mut engine = engine();
        for round in 0..6_u64 {
            let (at, next) = (round % 4, u32::try_from((round + 1) % 4).unwrap());
            let data = vec![u8::try_from(round + 1).unwrap(); 10_000];
            engine.write_memory(0x1_0000, &data);
            describe(&engine, at, 0x1_0000, 0x2_0000, 10_000);
            engine.write(0, 0x0c, next);
            wait_for_head(&mut engine, next);
            let mut copy = vec![0; 10_000];
            engine.read_memory(0x2_0000, &mut copy);
            assert_eq!((copy, status(&engine, at)), (data, 1));
        }
    }

    #[test]
    fn what_is_not_mapped_fails_and_the_next_one_is_done() {
        let mut engine = engine();
        describe(&engine, 0, 1 << 40, 0x2_0000, 8);
        describe(&engine, 1, 0x1_0000, u64::MAX - 3, 8);
        describe(&engine, 2, 0x1_0000, 0x2_0000, 8);
        engine.write(0, 0x0c, 3_u32);
        wait_for_head(&mut engine, 3);
        assert_eq!([0, 1, 2].map(|at| status(&engine, at)), [2, 2, 1]);
        assert_eq!(engine.read::<u32>(0, 0x14), 2);
        assert_eq!(engine.read::<u32>(0, 0x14), 0);
        engine.write(0, 0x00, 1_u64 << 41);
        engine.write(0, 0x0c, 0_u32);
        wait_for_head(&mut engine, 0);
        assert_eq!(engine.read::<u32>(0, 0x14), 1);
    }

    #[test]
    fn a_tail_that_is_no_descriptor_is_passed_over_and_a_reset_begins_anew() {
        let mut engine = engine();
        for tail in [4, 5, u32::MAX] {
            engine.write(0, 0x0c, tail);
        }
        engine.handle_events();
        engine.reset();
        engine.write(0, 0x00, RING);
        engine.write(0, 0x08, 4_u32);
        describe(&engine, 0, 0x1_0000, 0x2_0000, 8);
        engine.write(0, 0x0c, 1_u32);
        wait_for_head(&mut engine, 1);
        assert_eq!(status(&engine, 0), 1);
    }
}
