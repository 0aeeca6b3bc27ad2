//! A request of a driver: a chain of descriptors.

use std::ops::Range;

use vfio_user::{DirtyMark, DmaError, DmaGuard, DmaSnapshot};
use virtio_queue::desc::split::Descriptor;
use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT};

use crate::{Error, Queue};

/// Reads what a driver has sent, buffer after buffer.
pub type Reader<'a> = virtio_queue::Reader<'a, DirtyMark<'a>>;
/// Writes what a driver receives, buffer after buffer.
pub type Writer<'a> = virtio_queue::Writer<'a, DirtyMark<'a>>;

/// A request: buffers that the device reads, and buffers that it writes.
///
/// A request that is dropped before it is completed stays in its queue.
#[derive(Debug)]
pub struct Request<'q, 'a> {
    queue: &'q mut Queue<'a>,
    chain: DescriptorChain<&'a DmaSnapshot>,
    /// The number of descriptors that the device reads.
    readable: usize,
    is_complete: bool,
}

impl<'q, 'a> Request<'q, 'a> {
    pub(crate) fn new(
        queue: &'q mut Queue<'a>,
        chain: DescriptorChain<&'a DmaSnapshot>,
        readable: usize,
    ) -> Self {
        Request { queue, chain, readable, is_complete: false }
    }

    /// Returns the features that the driver has accepted.
    pub fn features(&self) -> u64 {
        self.queue.features()
    }

    /// Returns how many bytes the device can read.
    pub fn readable_len(&self) -> u64 {
        len(self.readable_buffers())
    }

    /// Returns how many bytes the device can write.
    pub fn writable_len(&self) -> u64 {
        len(self.writable_buffers())
    }

    /// Returns a reader of all bytes that the device can read.
    ///
    /// # Errors
    ///
    /// When a buffer is not in mapped memory.
    pub fn reader(&self) -> Result<Reader<'a>, Error> {
        Ok(Reader::new(self.queue.memory, self.chain.clone())?)
    }

    /// Returns a writer of all bytes that the device can write.
    ///
    /// # Errors
    ///
    /// When a buffer is not in mapped memory.
    pub fn writer(&self) -> Result<Writer<'a>, Error> {
        Ok(Writer::new(self.queue.memory, self.chain.clone())?)
    }

    /// Holds a range of the bytes that the device can read, counted through all buffers. A guard
    /// moves bytes to a file without a copy between ([`DmaGuard::write_to`]), and reaches every
    /// kind of memory.
    ///
    /// # Errors
    ///
    /// When there are no such bytes, or they cannot be accessed.
    pub fn readable(&self, range: Range<u64>) -> Result<DmaGuard, Error> {
        hold(self.readable_buffers(), range, |iova, len| self.queue.dma.map_readable(iova, len))
    }

    /// Holds a range of the bytes that the device can write, as [`readable`](Self::readable).
    ///
    /// # Errors
    ///
    /// When there are no such bytes, or they cannot be accessed.
    pub fn writable(&self, range: Range<u64>) -> Result<DmaGuard, Error> {
        hold(self.writable_buffers(), range, |iova, len| self.queue.dma.map_writable(iova, len))
    }

    /// Completes the request, and says how many bytes were written to it. The driver is notified
    /// when [`VirtioDevice::process`](crate::VirtioDevice::process) returns.
    ///
    /// # Errors
    ///
    /// When the used ring cannot be written. The request stays in the queue then.
    pub fn complete(mut self, written: u32) -> Result<(), Error> {
        let Queue { inner, memory, .. } = &mut *self.queue;
        inner.add_used(*memory, self.chain.head_index(), written)?;
        self.queue.has_used = true;
        self.is_complete = true;
        Ok(())
    }

    fn readable_buffers(&self) -> &[Descriptor] {
        &self.queue.descriptors[..self.readable]
    }

    fn writable_buffers(&self) -> &[Descriptor] {
        &self.queue.descriptors[self.readable..]
    }
}

impl Drop for Request<'_, '_> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.queue.inner.go_to_previous_position();
        }
    }
}

fn len(buffers: &[Descriptor]) -> u64 {
    buffers.iter().map(|buffer| u64::from(buffer.len())).sum()
}

/// Holds a range of the bytes of buffers.
fn hold(
    buffers: &[Descriptor],
    range: Range<u64>,
    map: impl Fn(u64, usize) -> Result<DmaGuard, DmaError>,
) -> Result<DmaGuard, Error> {
    let (Range { start, end }, len) = (range, len(buffers));
    if start > end || end > len {
        return Err(Error::Range { start, end, len });
    }
    let mut first = 0;
    let parts = buffers.iter().filter_map(|buffer| {
        let offset = first;
        first += u64::from(buffer.len());
        let (from, to) = (start.max(offset), end.min(first));
        (from < to).then(|| (buffer.addr().0.checked_add(from - offset), to - from))
    });
    let guards = parts.map(|(iova, len)| {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        map(iova.ok_or(DmaError::Wraps { iova: u64::MAX, len })?, len)
    });
    Ok(guards.collect::<Result<DmaGuard, DmaError>>()?)
}
