//! Threads of a device that own a part of its state.

mod desk;
mod work;

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cx, Device};
use crate::error::{Error, Result};
use desk::{Desk, Inner};
pub use work::{Work, WorkCx};

/// A thread that owns a part of a device's state and works on it, beside the device's own thread.
///
/// It is a private field of the device, and migrates with its state. The runtime controls when it
/// works:
///
/// | | the worker |
/// |---|---|
/// | [`run`](Self::run) is called: the guest has enabled the device, or [`Device::resume`] | works in turns, while a turn finds something |
/// | a turn finds nothing | sleeps until [`wake`](Self::wake) or a [doorbell](Self::take_doorbell), unless it [polls](Self::run_polling) |
/// | [`state`](Self::state) is called in a hook | pauses between two turns |
/// | the device stops, or memory is unmapped | finishes its turn first, and what is [under way](Work::drain); the client waits, the device's thread does not |
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

impl<W: Work> Worker<W> {
    /// Creates a worker that does not run, and has no thread until it does.
    pub fn new(work: W) -> Self {
        Worker { desk: Arc::new(Desk::new(work)), thread: None }
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

    /// Makes a doorbell wake the worker without the device's thread: that which is declared with
    /// `kick` or `ioeventfd` at `offset` of BAR `bar`, if the client has requested its eventfd or
    /// does so later.
    ///
    /// Signals of the eventfd do not run the hooks of the register then; messages do, and if the
    /// device is recorded, signals do as well. So this is for a register whose hooks only
    /// [`wake`](Self::wake) this worker. It lasts until the session ends or another worker takes
    /// the doorbell: call it where [`run`](Self::run) is called. A signal while the device is
    /// stopped does not wake the worker again when the device continues: that is for
    /// [`Device::resume`].
    ///
    /// # Errors
    ///
    /// When there is no such doorbell, or the process can open no more descriptors.
    pub fn take_doorbell<D: Device>(&self, cx: &Cx<'_, D>, bar: u8, offset: u64) -> Result<()> {
        let runtime = cx.runtime();
        if runtime.dma.tap().is_some() {
            return Ok(());
        }
        let waits = self.desk.waits()?;
        if runtime.doorbells.borrow_mut().hand_over((bar, offset), waits)? {
            return Ok(());
        }
        Err(Error::device(format!("BAR {bar} has no doorbell at {offset:#x}")))
    }

    /// Makes a descriptor wake the worker when it becomes readable: a `FileQueue`, an eventfd.
    ///
    /// It wakes the worker once each time: take everything, until `WouldBlock` or `None`, before a
    /// turn returns `false`. It lasts until the descriptor and its duplicates are closed. A second
    /// call for it changes nothing.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be waited for, or the process can open no more descriptors.
    pub fn wake_by(&self, descriptor: impl AsFd) -> Result<()> {
        match self.desk.waits()?.add(descriptor.as_fd()) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
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
        self.desk.close();
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
