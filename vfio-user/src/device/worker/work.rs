//! What a worker does, and what it does it with.

use std::ops::Deref;

use crate::device::{Cx, Device};
use crate::dma::SessionDma;
use crate::interrupt::Irq;
use crate::shared::Shared;

/// Work that a [`Worker`](crate::Worker) does for a device, and the state of that work: queues,
/// for example.
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

    /// Finishes work that is under way while the device is being stopped, or its session has ended.
    ///
    /// It is called instead of [`turn`](Self::turn) when the worker is woken then. Only work that
    /// holds guards between turns needs it, such as transfers of a `FileQueue`: the client's
    /// request waits until they are dropped. Guards still work while the device is being stopped,
    /// so a command that ends here is completed, and migrates as such. Nothing else can be
    /// accessed.
    ///
    /// Returns whether work is left: it is called again soon then, also if nothing wakes the
    /// worker. Does nothing by default, and returns `false`.
    fn drain(&mut self, cx: &WorkCx) -> bool {
        let _ = cx;
        false
    }
}

/// The client's memory, the interrupts and the shared memory of a device, for the turns of a
/// [`Worker`](crate::Worker). They belong to the session in which
/// [`Worker::run`](crate::Worker::run) was called.
#[derive(Debug)]
pub struct WorkCx {
    dma: SessionDma,
    /// One for each source, and one that raises nothing, for numbers that do not exist.
    irqs: Box<[Irq]>,
    shared: [Shared; 6],
}

impl WorkCx {
    pub(super) fn new<D: Device>(cx: &Cx<'_, D>) -> Self {
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

/// What the turns use, with all memory held: requests that stop the device or take its memory wait
/// until this is dropped.
pub(super) struct HeldCx<'a>(&'a mut WorkCx);

impl<'a> HeldCx<'a> {
    /// Returns `None` if the device is stopped, or its session has ended.
    pub(super) fn new(cx: &'a mut WorkCx) -> Option<Self> {
        cx.dma.hold_all().then_some(HeldCx(cx))
    }

    /// Returns whether the memory that is held is what is mapped.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
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
