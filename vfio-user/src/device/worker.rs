//! Threads of a device that own a part of its state.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cx, Device};
use crate::dma::SessionDma;
use crate::error::{Error, Result};
use crate::interrupt::Irq;
use crate::shared::Shared;

/// Work that a [`Worker`] does for a device, and the state of that work: queues, for example.
pub trait Work: Send + 'static {
    /// Does what there is to do, without waiting for more. Returns whether there was anything.
    ///
    /// A turn should be short: a hook that accesses the state waits for its end, and so do requests
    /// of the client that unmap memory, stop the device or reset it. A turn that reads memory by
    /// messages waits for the device's thread to pass them on, so a hook that accesses the state
    /// meanwhile makes that read time out; hand over indices by atomics then.
    ///
    /// The memory of a turn is what was mapped when it began: a stop or an unmap waits for its end,
    /// and memory that is mapped meanwhile is seen by the next turn.
    ///
    /// An access that fails with an [interruption](crate::DmaError::is_interruption) ends the turn:
    /// the work stays in the state and is done when the device continues, here or where its state
    /// is loaded. So advance an index only after the completion has been written, and take the
    /// guard of the completion before an effect that cannot be repeated.
    fn turn(&mut self, cx: &WorkCx) -> bool;
}

/// The client's memory, the interrupts and the shared memory of a device, for the turns of a
/// [`Worker`]. They belong to the session in which [`Worker::run`] was called.
#[derive(Debug)]
pub struct WorkCx {
    dma: SessionDma,
    /// One for each source, and one that raises nothing, for numbers that do not exist.
    irqs: Box<[Irq]>,
    shared: [Shared; 6],
}

impl WorkCx {
    fn new<D: Device>(cx: &Cx<'_, D>) -> Self {
        let sources = cx.runtime().interrupts.sources();
        WorkCx {
            dma: cx.dma().for_session(),
            irqs: (0..=sources).map(|n| cx.irq(n)).collect(),
            shared: cx.runtime().shared.clone(),
        }
    }

    /// Returns the client's memory.
    pub fn dma(&self) -> &SessionDma {
        &self.dma
    }

    /// Returns interrupt source `n`, as [`Cx::irq`]. Raise it once for all that a turn has
    /// completed.
    pub fn irq(&self, n: u16) -> &Irq {
        let last = self.irqs.len() - 1;
        &self.irqs[usize::from(n).min(last)]
    }

    /// Returns the memory of a BAR that is `shared`, as [`Cx::shared`].
    pub fn shared(&self, bar: u8) -> &Shared {
        static ABSENT: Shared = Shared::ABSENT;
        self.shared.get(usize::from(bar)).unwrap_or(&ABSENT)
    }
}

/// A thread that owns a part of a device's state and works on it, beside the device's own thread.
///
/// It is a private field of the device, and migrates with its state. The runtime controls when it
/// works:
///
/// | | the worker |
/// |---|---|
/// | [`run`](Self::run) is called: the guest has enabled the device, or [`Device::resume`] | works in turns, while a turn finds something |
/// | a turn finds nothing | sleeps until [`wake`](Self::wake), unless it [polls](Self::run_polling) |
/// | [`state`](Self::state) is called in a hook | pauses between two turns |
/// | the device stops, or memory is unmapped | finishes its turn first; the client waits, the device's thread does not |
/// | the session ends: a reset, the client leaves | stops until `run` is called again; its accesses and interrupts reach no other guest |
/// | the device's state is loaded | is replaced by one with the loaded state, which `run` starts |
/// | the device is dropped | ends after its turn; nothing waits for it |
///
/// A reset does not change the state: [`Device::reset`] has to. After a panic in a turn the worker
/// does no more work, and `run` fails. A device whose state was loaded from a file resumes before
/// its client has mapped memory: wake the worker in [`Device::dma_mapped`] then.
///
/// ```
/// use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Resumed, Result, Virtual};
/// use vfio_user::{Work, WorkCx, Worker};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// #[irq(msix = 1)]
/// struct Summer {
///     #[reg(0x00, on_write = Self::enabled)]
///     enable: u32,
///     #[reg(0x04, wo, write_with = Self::ring)]
///     tail: Virtual<u32>,
///     ring: Worker<Ring>,
/// }
///
/// /// A ring of 256 words in guest memory, each of which is replaced by the sum of all before it.
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(crate = "vfio_user::serde")]
/// struct Ring {
///     head: u64,
///     tail: u64,
///     sum: u64,
/// }
///
/// impl Work for Ring {
///     fn turn(&mut self, cx: &WorkCx) -> bool {
///         if self.head == self.tail {
///             return false;
///         }
///         let word = 8 * (self.head % 256);
///         let done = cx.dma().load::<u64>(word).and_then(|value| {
///             cx.dma().store(word, self.sum + value).map(|()| self.sum += value)
///         });
///         if done.is_ok() {
///             self.head += 1;
///             cx.irq(0).raise();
///         }
///         done.is_ok()
///     }
/// }
///
/// impl Summer {
///     fn enabled(&mut self, cx: &mut Cx<'_, Self>, _old: u32, new: u32) {
///         if new != 0
///             && let Err(error) = self.ring.run(cx)
///         {
///             eprintln!("summer: {error}");
///         }
///     }
///
///     fn ring(&mut self, _: &mut Cx<'_, Self>, tail: u32) {
///         self.ring.state().tail = tail.into();
///         self.ring.wake();
///     }
/// }
///
/// impl Device for Summer {
///     type Event = ();
///
///     fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
///         self.enabled(cx, 0, self.enable);
///     }
///
///     fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
///         *self.ring.state() = Ring::default();
///     }
/// }
///
/// let mut summer = Bench::new(Summer::default())?;
/// summer.write_memory(0, [1_u64, 2, 3].map(u64::to_le_bytes).as_flattened());
/// summer.write(0, 0x00, 1_u32);
/// summer.write(0, 0x04, 3_u32);
/// while summer.device().ring.state().head < 3 {}
/// let mut word = [0; 8];
/// summer.read_memory(16, &mut word);
/// assert_eq!(u64::from_le_bytes(word), 6);
/// # Ok::<(), vfio_user::Error>(())
/// ```
pub struct Worker<W: Work> {
    desk: Arc<Desk<W>>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker shares with its thread.
struct Desk<W> {
    inner: Mutex<Inner<W>>,
    /// The thread, which is parked while it waits.
    thread: OnceLock<Thread>,
    /// The number of hooks that want `inner`.
    wanted: AtomicUsize,
    is_rung: AtomicBool,
    is_closed: AtomicBool,
}

struct Inner<W> {
    work: W,
    /// What the turns use; `None` until the worker runs.
    cx: Option<WorkCx>,
    polls: bool,
}

impl<W: Work> Worker<W> {
    /// Creates a worker that does not run, and has no thread until it does.
    pub fn new(work: W) -> Self {
        let desk = Desk {
            inner: Mutex::new(Inner { work, cx: None, polls: false }),
            thread: OnceLock::new(),
            wanted: AtomicUsize::new(0),
            is_rung: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        };
        Worker { desk: Arc::new(desk), thread: None }
    }

    /// Makes the worker work, with the memory and the interrupts of the current session.
    ///
    /// # Errors
    ///
    /// When no thread can be created, or the thread has panicked.
    pub fn run<D: Device>(&mut self, cx: &Cx<'_, D>) -> Result<()> {
        self.start(WorkCx::new(cx), false)
    }

    /// Makes the worker work, as [`run`](Self::run), and take one turn after the other, whether
    /// they find something or not: it needs no [`wake`](Self::wake), and occupies a processor.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_polling<D: Device>(&mut self, cx: &Cx<'_, D>) -> Result<()> {
        self.start(WorkCx::new(cx), true)
    }

    fn start(&mut self, cx: WorkCx, polls: bool) -> Result<()> {
        let mut state = self.state();
        state.inner.cx = Some(cx);
        state.inner.polls = polls;
        drop(state);
        match &self.thread {
            Some(thread) if thread.is_finished() => {
                return Err(Error::device("the thread of a worker has panicked"));
            }
            Some(_) => {}
            None => {
                let desk = Arc::clone(&self.desk);
                let thread = thread::Builder::new().name("vfio-user work".into());
                let thread = thread.spawn(move || desk.work())?;
                self.desk.thread.get_or_init(|| thread.thread().clone());
                self.thread = Some(thread);
            }
        }
        self.wake();
        Ok(())
    }

    /// Makes the worker take a turn, if it runs and sleeps: a doorbell has been rung. Never waits.
    pub fn wake(&self) {
        self.desk.ring();
    }

    /// Returns what wakes the worker from any thread, as [`wake`](Self::wake) does: for threads
    /// that wait for the device's other side, such as a socket.
    pub fn waker(&self) -> Waker {
        Arc::clone(&self.desk).into()
    }

    /// Returns the state, once the current turn is finished. No turn begins while it is held. A
    /// second call on the same thread while it is held waits for ever.
    pub fn state(&self) -> WorkState<'_, W> {
        self.desk.wanted.fetch_add(1, SeqCst);
        WorkState { inner: self.desk.lock(), desk: &self.desk }
    }
}

impl<W> Desk<W> {
    fn lock(&self) -> MutexGuard<'_, Inner<W>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.is_rung.store(true, SeqCst);
        self.unpark();
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl<W: Work> Desk<W> {
    /// The body of the thread. It parks without the lock, and whatever it waits for is stored
    /// before it is unparked, so no wake-up is lost.
    fn work(&self) {
        while !self.is_closed.load(SeqCst) {
            if self.wanted.load(SeqCst) > 0 {
                thread::park();
                continue;
            }
            let mut inner = self.lock();
            // A swap, so that what was stored before the ring is seen.
            self.is_rung.swap(false, SeqCst);
            let turn = if inner.polls { self.poll(&mut inner) } else { inner.turn() };
            drop(inner);
            if turn != Turn::Done {
                self.sleep();
            }
        }
    }

    /// Takes one turn after the other, while nothing has changed that another thread waits for. An
    /// idle turn costs a few loads.
    fn poll(&self, inner: &mut Inner<W>) -> Turn {
        let Inner { work, cx: Some(cx), .. } = inner else { return Turn::Stopped };
        let Some(cx) = HeldCx::new(cx) else { return Turn::Stopped };
        while self.wanted.load(SeqCst) == 0 && !self.is_closed.load(SeqCst) && cx.is_current() {
            if self.is_rung.load(SeqCst) {
                self.is_rung.swap(false, SeqCst);
            }
            if !work.turn(&cx) {
                std::hint::spin_loop();
            }
        }
        Turn::Done
    }

    /// Waits for a ring.
    fn sleep(&self) {
        while !self.is_rung.load(SeqCst) && !self.is_closed.load(SeqCst) {
            thread::park();
        }
    }
}

impl<W: Work> Wake for Desk<W> {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The outcome of a turn.
#[derive(PartialEq)]
enum Turn {
    Done,
    Nothing,
    /// The device does not run.
    Stopped,
}

impl<W: Work> Inner<W> {
    fn turn(&mut self) -> Turn {
        let Inner { work, cx: Some(cx), .. } = self else { return Turn::Stopped };
        let Some(cx) = HeldCx::new(cx) else { return Turn::Stopped };
        if work.turn(&cx) { Turn::Done } else { Turn::Nothing }
    }
}

/// What the turns use, with all memory held: requests that stop the device or take its memory wait
/// until this is dropped.
struct HeldCx<'a>(&'a mut WorkCx);

impl<'a> HeldCx<'a> {
    /// Returns `None` if the device is stopped, or its session has ended.
    fn new(cx: &'a mut WorkCx) -> Option<Self> {
        cx.dma.hold_all().then_some(HeldCx(cx))
    }

    /// Returns whether the memory that is held is what is mapped.
    #[inline]
    fn is_current(&self) -> bool {
        self.0.dma.is_current()
    }
}

impl Deref for HeldCx<'_> {
    type Target = WorkCx;

    fn deref(&self) -> &WorkCx {
        self.0
    }
}

impl Drop for HeldCx<'_> {
    fn drop(&mut self) {
        self.0.dma.release();
    }
}

/// The state of a [`Worker`], held between two turns.
pub struct WorkState<'a, W> {
    inner: MutexGuard<'a, Inner<W>>,
    desk: &'a Desk<W>,
}

impl<W> Deref for WorkState<'_, W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.inner.work
    }
}

impl<W> DerefMut for WorkState<'_, W> {
    fn deref_mut(&mut self) -> &mut W {
        &mut self.inner.work
    }
}

impl<W> Drop for WorkState<'_, W> {
    fn drop(&mut self) {
        self.desk.wanted.fetch_sub(1, SeqCst);
        self.desk.unpark();
    }
}

impl<W: fmt::Debug> fmt::Debug for WorkState<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.work.fmt(f)
    }
}

impl<W: Work> Drop for Worker<W> {
    fn drop(&mut self) {
        self.desk.is_closed.store(true, SeqCst);
        self.desk.unpark();
    }
}

impl<W: Work + Default> Default for Worker<W> {
    fn default() -> Self {
        Worker::new(W::default())
    }
}

impl<W: Work> fmt::Debug for Worker<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("has_thread", &self.thread.is_some()).finish_non_exhaustive()
    }
}

/// As the state of the work.
impl<W: Work + Serialize> Serialize for Worker<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state().serialize(serializer)
    }
}

impl<'de, W: Work + Deserialize<'de>> Deserialize<'de> for Worker<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        W::deserialize(deserializer).map(Worker::new)
    }
}
