//! Reads and writes of memory that only the client can access, by messages.
//!
//! Any thread queues transfers here, and the thread that serves the client sends them. It also
//! receives the answers, and passes them to the thread or hook that waits.

mod layout;
mod posted_writes;
mod queue;
mod transfer;
mod waiter;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tracing::warn;

pub(crate) use posted_writes::PostedWrites;
pub(crate) use queue::Completed;
use queue::Queue;
pub(crate) use transfer::Failure;
pub(super) use transfer::MessageRegion;
use transfer::{Direction, OnDone, Transfer};
use waiter::Waiter;

use super::DmaError;
use super::status::Session;
use crate::eventfd::EventFd;
use crate::limits::Limits;
use crate::log_throttle::LogThrottle;
use crate::protocol::{Capabilities, Header};
use crate::serving::is_serving;
use crate::tape::{Act, Tap, Unrecorded};
use crate::wait::FOR_EVER;

/// All transfers of a device.
#[derive(Default)]
pub(crate) struct Transfers {
    queue: Mutex<Queue>,
    /// Whether there is work, to check without a lock.
    busy: AtomicBool,
    /// Signalled by other threads that queue a transfer. It exists only once there is memory that
    /// is accessed by messages.
    wake: OnceLock<Arc<EventFd>>,
    /// Its count shows whether other threads may have such memory.
    shared_use: SharedUse,
    posted_writes: Arc<PostedWrites>,
    /// Counts writes without a waiting thread that the client has refused.
    lost: Arc<LogThrottle>,
    /// What records the device.
    tap: OnceLock<Arc<dyn Tap>>,
}

/// Marks that other threads may have memory that is accessed by messages.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedUse(Arc<()>);

/// For threads that use memory.
impl Transfers {
    /// Sets the limits.
    pub(super) fn limit(&self, limits: Limits) {
        self.with(|queue| queue.limit(limits));
    }

    /// Returns the maximum bytes that may be read or written without waiting for them.
    pub(super) fn max_queued(&self) -> usize {
        self.locked().limits().queued_bytes
    }

    /// Creates the eventfd.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.wake.get().is_none() {
            // Only the device's thread gets here, so no other thread has set it.
            let _ = self.wake.set(Arc::new(EventFd::new()?));
        }
        Ok(())
    }

    /// Makes requests, replies and time-outs pass a recorder or a player. Has an effect once.
    pub(super) fn set_tap(&self, tap: &Arc<dyn Tap>) {
        let _ = self.tap.set(Arc::clone(tap));
    }

    /// Notes a change by the client.
    fn note(&self, act: impl FnOnce() -> Act) {
        if let Some(tap) = self.tap.get() {
            tap.act(act());
        }
    }

    /// Returns a mark for memory that other threads may have.
    pub(super) fn shared_use(&self) -> SharedUse {
        self.shared_use.clone()
    }

    /// Returns whether other threads may have such memory.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.shared_use.0) > 1
    }

    /// Reads from a region, and waits for the data.
    ///
    /// # Errors
    ///
    /// The reason of the failure; [`DmaError::MessageMode`] in a hook.
    pub(super) fn read(
        &self,
        region: &Arc<impl MessageRegion>,
        session: Session,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), DmaError> {
        let iova = region.first() + offset;
        if is_serving() {
            return Err(DmaError::MessageMode { iova });
        }
        for (part, iova) in data.chunks_mut(queue::WINDOW).zip(addresses(iova)) {
            let bytes =
                self.wait(&**region, session, Direction::Read, iova, vec![0; part.len()])?;
            part.copy_from_slice(&bytes);
        }
        Ok(())
    }

    /// Writes to a region, and waits until it is written; in a hook, which cannot wait, queues the
    /// write.
    ///
    /// # Errors
    ///
    /// The reason of the failure; in a hook, the reason why it could not be queued.
    pub(super) fn write(
        &self,
        region: &Arc<impl MessageRegion>,
        session: Session,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let iova = region.first() + offset;
        if is_serving() {
            return self.post(region, session, iova, data);
        }
        for (part, iova) in data.chunks(queue::WINDOW).zip(addresses(iova)) {
            self.wait(&**region, session, Direction::Write, iova, part.to_vec())?;
        }
        Ok(())
    }

    fn wait(
        &self,
        region: &impl MessageRegion,
        session: Session,
        direction: Direction,
        iova: u64,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, DmaError> {
        if let Some(tap) = self.tap.get() {
            tap.unrecorded(Unrecorded::Threads);
        }
        let waiter = Arc::new(Waiter::default());
        let completes = Arc::clone(&waiter);
        let on_done: OnDone = Box::new(move |result| completes.complete(result));
        let transfer = Transfer { session, direction, iova, data, has_waiter: true, on_done };
        let key = self.queue(region, transfer).map_err(|failure| failure.at(iova))?;
        // The thread that sends it may be gone or stuck.
        let answer = self.locked().limits().answer;
        let result = waiter.wait(answer * 2).or_else(|| {
            let given_up = self.with(|queue| queue.give_up(key));
            if given_up { None } else { waiter.wait(answer) }
        });
        result.unwrap_or(Err(Failure::Unanswered)).map_err(|failure| failure.at(iova))
    }

    /// Queues a write; the region is held until it is done.
    fn post(
        &self,
        region: &Arc<impl MessageRegion>,
        session: Session,
        iova: u64,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let len = data.len();
        if len == 0 {
            return Ok(());
        }
        if len > self.max_queued() {
            return Err(DmaError::TooMuch { iova, len });
        }
        let (held, lost) = (Arc::clone(region), Arc::clone(&self.lost));
        let (posted_writes, number) = (Arc::clone(&self.posted_writes), self.posted_writes.post());
        let on_done: OnDone = Box::new(move |result| {
            match result {
                // A reset drops the writes before it that are not done.
                Ok(_) | Err(Failure::Ended) => {}
                Err(failure) => {
                    if let Some(count) = lost.hit() {
                        let error = failure.at(iova);
                        warn!(%error, len, count, "a write to the client's memory was lost");
                    }
                }
            }
            posted_writes.settle(number);
            drop(held);
        });
        let direction = Direction::Write;
        let data = data.to_vec();
        let transfer = Transfer { session, direction, iova, data, has_waiter: false, on_done };
        self.queue(&**region, transfer).map(drop).map_err(|failure| {
            self.posted_writes.settle(number);
            failure.of(iova, len)
        })
    }

    /// Reads from a region without waiting; the region is held until the read is done.
    ///
    /// # Errors
    ///
    /// The reason why it could not be queued.
    pub(super) fn fetch(
        &self,
        region: &Arc<impl MessageRegion>,
        session: Session,
        offset: u64,
        len: usize,
        on_done: impl FnOnce(Result<Vec<u8>, DmaError>) + Send + 'static,
    ) -> Result<(), DmaError> {
        let (iova, held) = (region.first() + offset, Arc::clone(region));
        let on_done: OnDone = Box::new(move |result| {
            drop(held);
            on_done(result.map_err(|failure| failure.at(iova)));
        });
        let (direction, data) = (Direction::Read, vec![0; len]);
        let transfer = Transfer { session, direction, iova, data, has_waiter: false, on_done };
        self.queue(&**region, transfer).map(drop).map_err(|failure| failure.of(iova, len))
    }

    /// Returns which writes of hooks are acknowledged.
    pub(crate) fn posted_writes(&self) -> &Arc<PostedWrites> {
        &self.posted_writes
    }

    fn queue(&self, region: &impl MessageRegion, transfer: Transfer) -> Result<u64, Failure> {
        // Under the lock: a thread that removes the region looks for its transfers afterwards.
        let key = self.with(|queue| {
            let key = queue.push(transfer)?;
            if region.is_being_unmapped() {
                queue.shorten_deadline(key, Instant::now());
            }
            Ok(key)
        })?;
        // The serving thread sends queued transfers anyway.
        if !is_serving()
            && let Some(wake) = self.wake.get()
        {
            wake.signal();
        }
        Ok(key)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.locked();
        let result = change(&mut queue);
        self.busy.store(!queue.is_idle(), Ordering::Release);
        result
    }

    fn locked(&self) -> MutexGuard<'_, Queue> {
        // Every change is complete before anything can panic, so a panic elsewhere does not corrupt
        // it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Methods for the thread that serves the client. Report completed transfers without holding a
/// lock.
impl Transfers {
    /// Attaches a client.
    pub(crate) fn attach(&self, client: &Capabilities) {
        // Only QEMU and this crate's client support this, and only QEMU's layout is uncertain.
        let probe = client.write_multiple;
        self.note(|| Act::Attach { max_data: client.max_data_xfer_size, probes: probe });
        self.with(|queue| queue.attach(client.max_data_xfer_size, probe));
    }

    /// Returns the id of the last request to the client.
    pub(crate) fn last_id(&self) -> u16 {
        self.locked().last_id()
    }

    /// Continues with the ids after this one, for a client that was attached to another program.
    pub(crate) fn continue_after(&self, last_id: u16) {
        self.with(|queue| queue.continue_after(last_id));
    }

    /// The client is gone.
    #[must_use]
    pub(crate) fn detach(&self) -> Vec<Completed> {
        self.note(|| Act::Detach);
        self.with(Queue::detach)
    }

    /// The session ends.
    #[must_use]
    pub(super) fn end_session(&self, next: Session) -> Vec<Completed> {
        self.with(|queue| queue.end_session(next))
    }

    /// Returns whether there is nothing to send and nothing to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Acquire)
    }

    /// Returns an eventfd that becomes readable when other threads have queued something.
    pub(crate) fn wake(&self) -> Option<&Arc<EventFd>> {
        self.wake.get()
    }

    /// Clears the signal of other threads.
    pub(crate) fn clear_wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake.take();
        }
    }

    /// Sends the next request, if there is one and the client may get one. Returns whether it did.
    pub(crate) fn send_next(&self, send: impl FnOnce(&Header, &[&[u8]])) -> bool {
        self.with(|queue| {
            queue.send_next(Instant::now(), |header, parts| {
                if let Some(tap) = self.tap.get() {
                    tap.request(header.command.get(), parts);
                }
                send(header, parts);
            })
        })
    }

    /// Takes an answer, without its payload if that was too large.
    #[must_use]
    pub(crate) fn answer(&self, header: &Header, payload: Option<&[u8]>) -> Option<Completed> {
        self.note(|| Act::Reply {
            header: zerocopy::transmute!(*header),
            payload: payload.map(|payload| payload.to_vec().into()),
        });
        self.with(|queue| queue.answer(header, payload))
    }

    /// Returns whether a message answers a request, which may have timed out.
    pub(crate) fn expects(&self, answer: &Header) -> bool {
        self.locked().expects(answer)
    }

    /// Returns when the next transfer times out.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_idle() { None } else { self.locked().deadline() }
    }

    /// Gives up what has waited for too long.
    #[must_use]
    pub(crate) fn expire(&self) -> Vec<Completed> {
        let expired = self.with(|queue| queue.expire(Instant::now()));
        if !expired.is_empty() {
            self.note(|| Act::Expire);
        }
        expired
    }

    /// Gives up all transfers that a recording says have timed out: those that were sent.
    #[must_use]
    pub(crate) fn expire_all(&self) -> Vec<Completed> {
        self.with(|queue| queue.expire(Instant::now() + FOR_EVER))
    }

    /// The client takes memory back.
    #[must_use]
    pub(super) fn withdraw(&self, first: u64, last: u64) -> Vec<Completed> {
        self.with(|queue| queue.withdraw(first, last, Instant::now()))
    }

    /// Shortens the time limits, because the client waits for the device to stop.
    pub(super) fn shorten_deadline(&self) {
        self.with(|queue| queue.shorten_deadlines(Instant::now()));
    }
}

impl fmt::Debug for Transfers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfers").field("busy", &self.busy).finish_non_exhaustive()
    }
}

/// Returns where the parts of a range start.
fn addresses(iova: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |part: u64| iova.wrapping_add(part * queue::WINDOW as u64))
}
