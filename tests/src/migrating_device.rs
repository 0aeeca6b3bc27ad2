//! A device for tests of migration: registers, a vector, a timer, memory that its guest maps, and a
//! worker that writes to the guest's memory.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use vfio_user::{
    Cx, Device, DmaError, PciDevice, Remote, ResetKind, Result, Resumed, SessionDma, Timer, Virtual,
};

/// Offsets of the registers in BAR 0.
pub mod reg {
    #![allow(missing_docs, reason = "named as the fields of the device")]
    pub const SCRATCH: u64 = 0x00;
    pub const COUNT: u64 = 0x04;
    pub const RAISE: u64 = 0x08;
    pub const DELAY: u64 = 0x0c;
    pub const JOB: u64 = 0x10;
    pub const DONE: u64 = 0x14;
    pub const POISON: u64 = 0x18;
}

/// An event from outside the device.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A number that the device reports to the test.
    Number(u32),
    /// A worker has processed a job.
    #[allow(missing_docs, reason = "named as what it is")]
    Worked { job: u32, worker: u32, outcome: Outcome },
}

/// The outcome of a job.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named as what they are")]
pub enum Outcome {
    Done,
    Stopped,
    Failed,
}

impl Outcome {
    fn of(result: std::result::Result<(), DmaError>) -> Self {
        result.map_or(Outcome::Failed, |()| Outcome::Done)
    }
}

/// A call of a [`MigratingDevice`]'s hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the methods of the device")]
pub enum Called {
    Quiesce,
    Resume(Resumed),
    Reset,
    Saved,
    Loaded,
    Event(u32),
    Expired,
}

/// A device to be migrated. Interrupt source 0 is raised by the guest and by the timer, 1 when a
/// job is done.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem64, size = 0x20_0000, prefetchable, shared)]
#[irq(intx, msix = 2)]
pub struct MigratingDevice {
    #[reg(0x00, reset = 0x55)]
    scratch: u32,
    /// How often it was read.
    #[reg(0x04, ro, read_with = Self::count)]
    count: Virtual<u32>,
    /// How often the guest has raised.
    #[reg(0x08, write_with = Self::raise)]
    raise: u32,
    /// Arms the timer, in milliseconds.
    #[reg(0x0c, wo, write_with = Self::delay)]
    delay: Virtual<u32>,
    /// Starts a job: the number of the job is written to the guest's memory where the job says.
    #[reg(0x10, wo, write_with = Self::start_job)]
    job: Virtual<u32>,
    /// Jobs that are done.
    #[reg(0x14, ro)]
    done: u32,
    /// A state with this is refused.
    #[reg(0x18)]
    poison: u32,
    reads: u32,
    /// Jobs that are not done yet.
    #[migrate(max_len = 4096)]
    jobs: Vec<u32>,
    #[timer(Self::expired)]
    timer: Timer,
    #[migrate(skip)]
    outside: Outside,
    #[migrate(skip)]
    worker: Option<Sender<(SessionDma, u32)>>,
    /// The number of the worker whose jobs are those of the state.
    #[migrate(skip)]
    hired: Arc<AtomicU32>,
}

/// The device's end of the channels to the test.
#[derive(Clone, Debug)]
pub struct Outside {
    calls: Sender<Called>,
    remotes: Sender<Remote<Event>>,
}

/// The test's end of these channels.
#[derive(Debug)]
pub struct Seen {
    calls: Receiver<Called>,
    remotes: Receiver<Remote<Event>>,
}

impl Outside {
    /// Creates both ends.
    pub fn new() -> (Self, Seen) {
        let (sender, calls) = channel();
        let (give, remotes) = channel();
        (Outside { calls: sender, remotes: give }, Seen { calls, remotes })
    }
}

impl Seen {
    /// Checks that this call happens next.
    ///
    /// # Panics
    ///
    /// If another call happens, or none.
    #[track_caller]
    pub fn expect(&self, called: Called) {
        assert_eq!(self.next(), called);
    }

    /// Returns the next call.
    ///
    /// # Panics
    ///
    /// If none happens.
    #[track_caller]
    pub fn next(&self) -> Called {
        self.calls.recv_timeout(crate::PATIENCE).expect("something happens")
    }

    /// Checks that no call has happened.
    ///
    /// # Panics
    ///
    /// If one has.
    #[track_caller]
    pub fn expect_nothing(&self) {
        assert_eq!(self.calls.try_recv().ok(), None);
    }

    /// Returns all calls since the last query.
    pub fn all(&self) -> Vec<Called> {
        self.calls.try_iter().collect()
    }

    /// Forgets all calls so far.
    pub fn clear(&self) {
        self.calls.try_iter().for_each(drop);
    }

    /// Returns the device's remote.
    ///
    /// # Panics
    ///
    /// If it has not started.
    pub fn remote(&self) -> Remote<Event> {
        self.remotes.recv_timeout(crate::PATIENCE).expect("the device has started")
    }
}

impl MigratingDevice {
    /// Bytes of BAR 2.
    pub const SHARED: usize = 0x20_0000;

    /// Creates an idle device.
    pub fn new(outside: &Outside) -> Self {
        MigratingDevice {
            scratch: 0,
            count: Virtual::default(),
            raise: 0,
            delay: Virtual::default(),
            job: Virtual::default(),
            done: 0,
            poison: 0,
            reads: 0,
            jobs: Vec::new(),
            timer: Timer::default(),
            outside: outside.clone(),
            worker: None,
            hired: Arc::default(),
        }
    }

    fn report(&self, called: Called) {
        // A test that has ended does not receive any more.
        let _ = self.outside.calls.send(called);
    }

    fn count(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.reads += 1;
        self.reads
    }

    fn raise(&mut self, cx: &mut Cx<'_, Self>, source: u32) {
        self.raise += 1;
        cx.irq(u16::try_from(source).unwrap_or(u16::MAX)).raise();
    }

    fn delay(&mut self, cx: &mut Cx<'_, Self>, milliseconds: u32) {
        self.timer.arm(cx, Duration::from_millis(milliseconds.into()));
    }

    fn expired(&mut self, cx: &mut Cx<'_, Self>) {
        self.report(Called::Expired);
        cx.irq(0).raise();
    }

    fn start_job(&mut self, cx: &mut Cx<'_, Self>, job: u32) {
        self.jobs.push(job);
        self.give_to_worker(cx, job);
    }

    /// Starts a worker for the present state.
    fn hire(&mut self, cx: &Cx<'_, Self>) {
        let (give, jobs) = channel::<(SessionDma, u32)>();
        let remote = cx.remote();
        self.worker = Some(give);
        let hired = Arc::clone(&self.hired);
        let worker = hired.fetch_add(1, SeqCst) + 1;
        thread::spawn(move || {
            for (memory, job) in jobs {
                let held = memory.map(u64::from(job) * 4, 4);
                // Memory is held here, so no state is loaded meanwhile.
                if hired.load(SeqCst) != worker {
                    return;
                }
                let outcome = match &held {
                    Ok(held) => {
                        Outcome::of(held.load::<u32>(0).and_then(|count| held.store(0, count + 1)))
                    }
                    // The job is retried when the device runs.
                    Err(DmaError::Stopped { .. }) => Outcome::Stopped,
                    Err(_) => Outcome::Failed,
                };
                // Posted before the memory is released, so that no job is half done.
                if remote.post(Event::Worked { job, worker, outcome }).is_err() {
                    return;
                }
                drop(held);
            }
        });
    }

    fn give_to_worker(&self, cx: &Cx<'_, Self>, job: u32) {
        let worker = self.worker.as_ref().expect("it has started");
        worker.send((cx.dma().for_session(), job)).expect("it works as long as the device lives");
    }
}

impl Device for MigratingDevice {
    type Event = Event;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = self.outside.remotes.send(cx.remote());
        self.hire(cx);
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        let (job, worker, outcome) = match event {
            Event::Number(number) => return self.report(Called::Event(number)),
            Event::Worked { job, worker, outcome } => (job, worker, outcome),
        };
        // Ignores a worker of an earlier state.
        let Some(place) = self.jobs.iter().position(|other| *other == job) else { return };
        if worker != self.hired.load(SeqCst) {
            return;
        }
        match outcome {
            Outcome::Done => {
                self.jobs.remove(place);
                self.done += 1;
                cx.irq(1).raise();
            }
            Outcome::Stopped => self.give_to_worker(cx, job),
            Outcome::Failed => {}
        }
    }

    fn quiesce(&mut self, _: &mut Cx<'_, Self>) {
        self.report(Called::Quiesce);
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        self.report(Called::Resume(resumed));
        if resumed == Resumed::Loaded {
            self.jobs.iter().for_each(|job| self.give_to_worker(cx, *job));
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.jobs.clear();
        self.reads = 0;
        self.report(Called::Reset);
    }

    fn saved(&mut self, _: &mut Cx<'_, Self>) {
        self.report(Called::Saved);
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.report(Called::Loaded);
        self.hire(cx);
        if self.poison == 0 { Ok(()) } else { Err(vfio_user::Error::device("it is poisoned")) }
    }
}

/// A device that does not migrate.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[migrate(none)]
pub struct Pinned {}

impl Device for Pinned {
    type Event = ();
}
