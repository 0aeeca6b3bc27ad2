//! The thread of a worker.

use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Duration;

use super::work::{HeldCx, Work, WorkCx};
use crate::wake::WaitSet;

/// How long the thread sleeps before work that is left is drained again.
const DRAIN_PAUSE: Duration = Duration::from_micros(100);

/// What a worker shares with its thread.
pub(super) struct Desk<W> {
    inner: Mutex<Inner<W>>,
    /// The thread, which is parked while it waits.
    pub(super) thread: OnceLock<Thread>,
    /// What the thread waits in instead, once it has a doorbell.
    waits: OnceLock<Arc<WaitSet>>,
    /// The number of hooks that want `inner`.
    pub(super) wanted: AtomicUsize,
    is_rung: AtomicBool,
    is_closed: AtomicBool,
}

pub(super) struct Inner<W> {
    pub(super) work: W,
    /// What the turns use; `None` until the worker runs.
    pub(super) cx: Option<WorkCx>,
    pub(super) polls: bool,
}

impl<W> Desk<W> {
    pub(super) fn new(work: W) -> Self {
        Desk {
            inner: Mutex::new(Inner { work, cx: None, polls: false }),
            thread: OnceLock::new(),
            waits: OnceLock::new(),
            wanted: AtomicUsize::new(0),
            is_rung: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner<W>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self) {
        self.is_rung.store(true, SeqCst);
        self.wake_thread();
    }

    /// Ends the thread after its turn.
    pub(super) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.wake_thread();
    }

    /// Returns what doorbells wake the thread by; creates it if necessary.
    pub(super) fn waits(&self) -> io::Result<&Arc<WaitSet>> {
        if let Some(waits) = self.waits.get() {
            return Ok(waits);
        }
        let created = Arc::new(WaitSet::new()?);
        let waits = self.waits.get_or_init(|| created);
        // A thread that is parked waits in the set from now on.
        self.unpark();
        Ok(waits)
    }

    fn wake_thread(&self) {
        self.unpark();
        // A thread that waits in a set which is not seen here sees what was stored before.
        fence(SeqCst);
        if let Some(waits) = self.waits.get() {
            waits.wake();
        }
    }

    pub(super) fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Returns whether the thread has to go on.
    fn is_due(&self) -> bool {
        self.is_rung.load(SeqCst) || self.is_closed.load(SeqCst)
    }
}

impl<W: Work> Desk<W> {
    /// The body of the thread. It waits without the lock, and whatever it waits for is stored
    /// before it is woken, so no wake-up is lost.
    pub(super) fn work(&self) {
        while !self.is_closed.load(SeqCst) {
            if self.wanted.load(SeqCst) > 0 {
                thread::park();
                continue;
            }
            let mut inner = self.lock();
            // A swap, so that what was stored before the ring is seen.
            self.is_rung.swap(false, SeqCst);
            let turn = if inner.polls { self.poll(&mut inner) } else { inner.turn() };
            let is_left = turn == Turn::Stopped && inner.drain();
            drop(inner);
            if is_left {
                // The work may end without waking this thread, as that of a worker that polls.
                thread::sleep(DRAIN_PAUSE);
            } else if turn != Turn::Done {
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

    /// Waits for a ring, or a doorbell.
    fn sleep(&self) {
        while !self.is_due() {
            match self.waits.get() {
                None => thread::park(),
                Some(waits) => return waits.wait(|| self.is_due()),
            }
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

    /// Returns whether work is left.
    fn drain(&mut self) -> bool {
        self.cx.as_ref().is_some_and(|cx| self.work.drain(cx))
    }
}
