//! A queue, while it is being served.

use std::sync::atomic::Ordering;

use vfio_user::{DmaSnapshot, SessionDma};
use virtio_queue::desc::split::Descriptor;
use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, Permissions};

use crate::work::check_range;
use crate::{Error, Request};

/// How many requests are served before requests of the client have their turn.
const BUDGET: u16 = 64;
/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;

/// A queue of requests, for the time in which [`VirtioDevice::process`] serves it.
///
/// [`VirtioDevice::process`]: crate::VirtioDevice::process
pub struct Queue<'a> {
    index: u16,
    features: u64,
    pub(crate) inner: &'a mut virtio_queue::Queue,
    pub(crate) memory: &'a DmaSnapshot,
    pub(crate) dma: &'a SessionDma,
    /// The descriptors of the request that was popped last.
    pub(crate) descriptors: &'a mut Vec<Descriptor>,
    budget: u16,
    is_drained: bool,
    pub(crate) has_used: bool,
}

impl std::fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<'a> Queue<'a> {
    pub(crate) fn new(
        (index, features): (u16, u64),
        inner: &'a mut virtio_queue::Queue,
        memory: &'a DmaSnapshot,
        dma: &'a SessionDma,
        descriptors: &'a mut Vec<Descriptor>,
    ) -> Self {
        let (budget, is_drained, has_used) = (BUDGET, false, false);
        Queue { index, features, inner, memory, dma, descriptors, budget, is_drained, has_used }
    }

    /// Returns which queue of the device it is.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// Returns the features that the driver has accepted.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// Takes the next request. Returns `None` if the queue is empty, or after 64 requests in one
    /// call of [`process`](crate::VirtioDevice::process), which is then called again: the client's
    /// requests are not delayed.
    ///
    /// A request that is dropped before it is completed stays in the queue and is the next one.
    ///
    /// # Errors
    ///
    /// When the driver has broken the queue.
    pub fn pop(&mut self) -> Result<Option<Request<'_, 'a>>, Error> {
        if self.budget == 0 {
            return Ok(None);
        }
        let available = self.inner.avail_idx(self.memory, Ordering::Acquire)?.0;
        let (next, size) = (self.inner.next_avail(), self.inner.size());
        self.is_drained = available == next;
        if self.is_drained {
            return Ok(None);
        }
        if available.wrapping_sub(next) > size {
            return Err(Error::AvailableIndex { index: available, next, size });
        }
        let Some(chain) = self.inner.iter(self.memory)?.next() else {
            // The ring has an entry, unless it cannot be read.
            self.check_memory(self.inner.avail_ring(), 6 + 2 * usize::from(size))?;
            return Err(Error::NotMapped);
        };
        match collect(chain.clone(), size, self.descriptors) {
            Ok(readable) => {
                self.budget -= 1;
                Ok(Some(Request::new(self, chain, readable)))
            }
            Err(error) => {
                self.inner.go_to_previous_position();
                self.check_tables(chain.head_index())?;
                Err(error)
            }
        }
    }

    fn check_memory(&self, iova: u64, len: usize) -> Result<(), Error> {
        check_range(self.memory, (iova, len), Permissions::Read)
    }

    /// Returns why the table of descriptors, or the one that a chain refers to, cannot be read.
    fn check_tables(&self, head: u16) -> Result<(), Error> {
        let (table, size) = (self.inner.desc_table(), self.inner.size());
        self.check_memory(table, DESCRIPTOR * usize::from(size))?;
        if head >= size {
            return Ok(());
        }
        let head = GuestAddress(table + DESCRIPTOR as u64 * u64::from(head));
        let head: Descriptor = self.memory.read_obj(head)?;
        let len = usize::try_from(head.len()).unwrap_or(usize::MAX);
        if head.refers_to_indirect_table() && len <= DESCRIPTOR * usize::from(size) {
            self.check_memory(head.addr().0, len)?;
        }
        Ok(())
    }

    /// Returns whether the last call of `pop` has found no request.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// Returns whether requests may be left because others have their turn first.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.budget == 0
    }
}

/// Collects the descriptors of a chain, and returns how many of them are readable: those come
/// first (2.7.4.2).
fn collect(
    chain: DescriptorChain<&DmaSnapshot>,
    size: u16,
    descriptors: &mut Vec<Descriptor>,
) -> Result<usize, Error> {
    let head = chain.head_index();
    descriptors.clear();
    // An indirect table may be longer than the queue, but must not be (2.7.5.3.1).
    descriptors.extend(chain.take(usize::from(size) + 1));
    let ends = descriptors.last().is_some_and(|last| !last.has_next());
    if !ends || descriptors.len() > usize::from(size) {
        return Err(Error::Chain { head, size });
    }
    let readable = descriptors.iter().take_while(|one| !one.is_write_only()).count();
    if descriptors[readable..].iter().any(|one| !one.is_write_only()) {
        return Err(Error::Order { head });
    }
    Ok(readable)
}
