//! What the thread of a queue does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tracing::warn;
use vfio_user::{DmaSnapshot, Remote, Work, WorkCx};
use virtio_queue::desc::split::Descriptor;
use virtio_queue::{QueueState, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemory, Permissions};

use crate::transport::{Event, NO_VECTOR, Notice};
use crate::{Error, Queue, VirtioDevice, features};

/// The flag of an available ring by which the driver asks for no interrupts (2.7.6).
const NO_INTERRUPT: u16 = 1;

/// A queue of a device, which a worker owns.
pub(crate) struct QueueWork<D> {
    device: Arc<D>,
    index: u16,
    /// The vector of the queue, which the driver may change at any time.
    vector: Arc<AtomicU16>,
    pub(crate) running: Option<Running>,
}

impl<D> QueueWork<D> {
    pub(crate) fn new(device: Arc<D>, index: u16, vector: Arc<AtomicU16>) -> Self {
        QueueWork { device, index, vector, running: None }
    }
}

/// An enabled queue of a running device.
pub(crate) struct Running {
    queue: virtio_queue::Queue,
    features: u64,
    remote: Remote<Event>,
    /// The worker looks at the ring by itself.
    polls: bool,
    areas: Areas,
    patience: Patience,
    /// The driver has been asked not to notify.
    is_quiet: bool,
    has_used: bool,
    descriptors: Vec<Descriptor>,
}

/// What is known of the areas of a queue.
#[derive(Clone, Copy, PartialEq)]
enum Areas {
    /// They are in mapped memory.
    Mapped,
    /// The driver has just set them up.
    New,
    /// Another device has used them. If its state is from a file, the client maps memory later.
    Loaded,
}

/// Whether memory that the queue needs is mapped.
#[derive(Clone, Copy, PartialEq)]
enum Patience {
    /// It is, as far as is known.
    Unneeded,
    /// It was not the last time.
    Waits,
    /// It was not for long.
    Ended,
}

impl Running {
    /// Takes a queue over. `is_loaded` if its state was that of another device.
    pub(crate) fn new(
        state: QueueState,
        features: u64,
        remote: Remote<Event>,
        polls: bool,
        is_loaded: bool,
    ) -> Result<Self, Error> {
        Ok(Running {
            queue: check(state)?,
            features,
            remote,
            polls,
            areas: if is_loaded { Areas::Loaded } else { Areas::New },
            patience: Patience::Unneeded,
            is_quiet: false,
            has_used: false,
            descriptors: Vec::new(),
        })
    }

    /// Returns the indices of the next request and of the next used element.
    pub(crate) fn position(&self) -> (u16, u16) {
        (self.queue.next_avail(), self.queue.next_used())
    }

    /// Makes the next attempt to reach memory that was not mapped the last one.
    pub(crate) fn give_up(&mut self) {
        if self.patience == Patience::Waits {
            self.patience = Patience::Ended;
        }
    }

    /// Returns whether memory that is not mapped may be mapped later.
    fn waits_for_memory(&mut self, error: &Error) -> bool {
        if self.patience == Patience::Unneeded {
            self.patience = Patience::Waits;
            if self.areas == Areas::Loaded {
                warn!(%error, "a queue whose state was loaded waits until memory is mapped");
            } else {
                // A session that has ended has no queue that waits.
                let _ = self.remote.post(Event(Notice::Unmapped));
            }
        }
        self.patience != Patience::Ended
    }

    /// Serves the queue for a turn. Returns whether there may be more to do.
    fn serve<D: VirtioDevice>(
        &mut self,
        device: &D,
        index: u16,
        cx: &WorkCx,
    ) -> Result<bool, Error> {
        let memory = cx.dma().memory();
        self.check_areas(&memory)?;
        if !self.is_quiet {
            self.queue.disable_notification(&*memory)?;
            self.is_quiet = true;
        }
        let mut queue = Queue::new(
            (index, self.features),
            &mut self.queue,
            &memory,
            cx.dma(),
            &mut self.descriptors,
        );
        let outcome = device.process(&mut queue);
        let (is_drained, is_exhausted) = (queue.is_drained(), queue.is_exhausted());
        self.has_used = queue.has_used;
        outcome?;
        if !is_drained || self.polls {
            // What is left waits for the device, which has a waker.
            return Ok(is_exhausted);
        }
        self.is_quiet = false;
        Ok(self.queue.enable_notification(&*memory)?)
    }

    /// Checks, once, that the areas of the queue are in mapped memory.
    fn check_areas(&mut self, memory: &DmaSnapshot) -> Result<(), Error> {
        if self.areas == Areas::Mapped {
            return Ok(());
        }
        let size = usize::from(self.queue.size());
        for (iova, len, access) in [
            (self.queue.desc_table(), 16 * size, Permissions::Read),
            (self.queue.avail_ring(), 6 + 2 * size, Permissions::Read),
            (self.queue.used_ring(), 6 + 8 * size, Permissions::Write),
        ] {
            check_range(memory, (iova, len), access)?;
        }
        self.areas = Areas::Mapped;
        Ok(())
    }

    /// Returns whether the driver wants an interrupt for what was used (2.7.7).
    fn wants_interrupt(&mut self, memory: &DmaSnapshot) -> Result<bool, Error> {
        let is_wanted = self.queue.needs_notification(memory)?;
        if self.queue.event_idx_enabled() {
            return Ok(is_wanted);
        }
        let flags = GuestAddress(self.queue.avail_ring());
        let flags: u16 = memory.load(flags, Ordering::Relaxed)?;
        Ok(u16::from_le(flags) & NO_INTERRUPT == 0)
    }

    /// Interrupts the driver, if there are used elements and it wants that, as far as is known.
    fn notify(&mut self, vector: u16, cx: &WorkCx) {
        let is_wanted = std::mem::take(&mut self.has_used)
            && self.wants_interrupt(&cx.dma().memory()).unwrap_or(true);
        match vector {
            _ if !is_wanted => {}
            NO_VECTOR => {
                // The line is the device's. A session that has ended has no driver to interrupt.
                let _ = self.remote.post(Event(Notice::Used));
            }
            _ => cx.irq(vector).raise(),
        }
    }
}

/// Returns why memory cannot be accessed, if it cannot.
pub(crate) fn check_range(
    memory: &DmaSnapshot,
    (iova, len): (u64, usize),
    access: Permissions,
) -> Result<(), Error> {
    for slice in memory.get_slices(GuestAddress(iova), len, access)? {
        slice?;
    }
    Ok(())
}

/// Creates a queue, with errors that say what is wrong.
pub(crate) fn check(state: QueueState) -> Result<virtio_queue::Queue, Error> {
    let QueueState { size, max_size: max, desc_table, avail_ring, used_ring, .. } = state;
    if !size.is_power_of_two() || size > max {
        return Err(Error::QueueSize { size, max });
    }
    for (area, iova, align) in [
        ("descriptor table", desc_table, 16),
        ("available ring", avail_ring, 2),
        ("used ring", used_ring, 4),
    ] {
        if iova % align != 0 {
            return Err(Error::Alignment { area, iova });
        }
    }
    Ok(virtio_queue::Queue::try_from(state)?)
}

impl<D: VirtioDevice> Work for QueueWork<D> {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let Some(running) = &mut self.running else { return false };
        let vector = self.vector.load(Ordering::Relaxed);
        let served = running.serve(&*self.device, self.index, cx);
        // What was used before an error has been used.
        running.notify(vector, cx);
        match served {
            Ok(has_more) => {
                running.patience = Patience::Unneeded;
                has_more
            }
            Err(error) if error.is_interruption() => false,
            Err(error) if error.is_unmapped() && running.waits_for_memory(&error) => false,
            Err(error) => {
                let notice = Notice::Broken { queue: self.index, error };
                // A session that has ended has no driver to inform.
                let _ = running.remote.post(Event(notice));
                self.running = None;
                false
            }
        }
    }
}

/// The bit of a feature set that the queues need.
pub(crate) fn uses_event_idx(features: u64) -> bool {
    features & features::RING_EVENT_IDX != 0
}
