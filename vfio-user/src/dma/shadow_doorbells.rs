//! Doorbells in the client's memory.

use std::sync::atomic::{AtomicU32, Ordering, fence};

use serde::{Deserialize, Serialize};

use super::{Dma, DmaError};

/// Doorbells of 32 bits in the client's memory, in place of registers: a driver stores values
/// there, and rings a register only if the doorbell passes the device's event index, which is in
/// memory as well. So a device that is busy gets no messages. NVMe has them as shadow doorbell
/// buffers.
///
/// ```
/// # use vfio_user::{Dma, DmaError, Ring, ShadowDoorbells};
/// /// Returns whether a queue has commands. If it has none, the driver rings for the next one.
/// fn has_commands(dma: &Dma, bells: ShadowDoorbells, ring: &mut Ring) -> Result<bool, DmaError> {
///     if ring.pending() == 0 {
///         let tail = bells.await_ring(dma, 0, ring.driver_index())?;
///         ring.set_driver_index(tail);
///     }
///     Ok(ring.pending() > 0)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowDoorbells {
    bells: u64,
    events: u64,
}

impl ShadowDoorbells {
    /// Creates doorbells that follow each other from `bells` on, and whose event indices follow
    /// each other from `events` on.
    pub fn new(bells: u64, events: u64) -> Self {
        ShadowDoorbells { bells, events }
    }

    /// Returns whether both start at a multiple of `unit`. A state that was loaded can be any.
    pub fn is_aligned(self, unit: u64) -> bool {
        self.bells.is_multiple_of(unit) && self.events.is_multiple_of(unit)
    }

    /// Checks that the first doorbell, and the event indices of `count` doorbells, are in memory
    /// that the client shares.
    ///
    /// # Errors
    ///
    /// As [`Dma::load`] and [`Dma::map_writable`].
    pub fn check(self, dma: &Dma, count: usize) -> Result<(), DmaError> {
        dma.load::<u32>(self.bells)?;
        dma.load::<u32>(self.events)?;
        dma.map_writable(self.events, count.saturating_mul(4)).map(drop)
    }

    /// Begins with the doorbell of a queue that exists, and whose driver has rung a register with
    /// `last`: stores that, unless the driver has rung here.
    ///
    /// # Errors
    ///
    /// As [`Dma::atomic`].
    pub fn start(self, dma: &Dma, index: usize, last: u32) -> Result<(), DmaError> {
        dma.atomic(at(self.bells, index), |bell: &AtomicU32| {
            let _ = bell.compare_exchange(0, last.to_le(), Ordering::Relaxed, Ordering::Relaxed);
        })
    }

    /// Begins with the doorbell of a new queue: stores 0 in place of an earlier queue's value.
    ///
    /// # Errors
    ///
    /// As [`Dma::store`].
    pub fn clear(self, dma: &Dma, index: usize) -> Result<(), DmaError> {
        dma.store(at(self.bells, index), 0_u32)
    }

    /// Returns the value of a doorbell.
    ///
    /// # Errors
    ///
    /// As [`Dma::load`].
    #[inline]
    pub fn value(self, dma: &Dma, index: usize) -> Result<u32, DmaError> {
        dma.load(at(self.bells, index))
    }

    /// Returns the value of a doorbell. If that is still `last`, the driver will ring the register
    /// for the next one: the device may wait for that.
    ///
    /// # Errors
    ///
    /// As [`Dma::load`] and [`Dma::store`].
    pub fn await_ring(self, dma: &Dma, index: usize, last: u32) -> Result<u32, DmaError> {
        let event = at(self.events, index);
        let value = self.value(dma, index)?;
        if value != last || dma.load::<u32>(event)? == last {
            return Ok(value);
        }
        dma.store(event, last)?;
        // The driver rings, and looks at the event index then: one of the two sees the other.
        fence(Ordering::SeqCst);
        self.value(dma, index)
    }
}

fn at(start: u64, index: usize) -> u64 {
    start.wrapping_add((index as u64).wrapping_mul(4))
}
