//! Queue pairs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use vfio_user::Result;
use vfio_user::client::{Client, RegionMap};
use vfio_user::protocol::RegionIndex;
use vfio_user::zerocopy::IntoBytes;

use super::command::{Command, Completion};
use super::memory::Memory;
use super::{PAGE, failed};
use crate::PATIENCE;

/// Where doorbells are rung: two for each queue pair, in the order of the registers (3.1.24).
#[derive(Clone, Debug)]
pub enum Doorbells {
    /// In BAR 0, which is mapped, so many bytes apart.
    Mapped(RegionMap, u64),
    /// In BAR 0, so many bytes apart, by a message each.
    Messages(Arc<Client>, u64),
    /// In memory of the process.
    Memory(Arc<[AtomicU32]>),
    /// In memory that is shared with the controller, and in registers when it wants that.
    Shadow(Arc<Shadow>),
}

/// The doorbells of I/O queues after Doorbell Buffer Config (5.7, 7.13).
#[derive(Debug)]
pub struct Shadow {
    memory: Arc<Memory>,
    /// A word for each doorbell, and the event index of each.
    pages: [u64; 2],
    registers: Doorbells,
    /// How often a register was written.
    rings: AtomicU64,
}

impl Shadow {
    pub(super) fn new(memory: &Arc<Memory>, registers: Doorbells) -> Self {
        let pages = [PAGE; 2].map(|len| memory.allocate(len));
        Shadow { memory: Arc::clone(memory), pages, registers, rings: AtomicU64::new(0) }
    }

    pub(super) fn pages(&self) -> [u64; 2] {
        self.pages
    }

    /// Returns the same doorbells after the controller has moved to another server.
    #[must_use]
    pub fn with_registers(&self, registers: Doorbells) -> Self {
        let (memory, rings) = (Arc::clone(&self.memory), AtomicU64::new(self.rings()));
        Shadow { memory, pages: self.pages, registers, rings }
    }

    /// Returns how often a register was written.
    pub fn rings(&self) -> u64 {
        self.rings.load(Ordering::Relaxed)
    }

    fn ring(&self, index: u16, value: u32) -> Result<()> {
        let [bell, event] = self.pages.map(|page| self.memory.word(page + 4 * u64::from(index)));
        let before = bell.swap(value, Ordering::SeqCst);
        let event = event.load(Ordering::SeqCst);
        // In the arithmetic of 16 bits, although indices wrap at the size of the queue.
        let distance = |from: u32| value.wrapping_sub(from) & 0xffff;
        if distance(event.wrapping_add(1)) >= distance(before) {
            return Ok(());
        }
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.registers.ring(index, value)
    }
}

impl Doorbells {
    /// The first doorbell in BAR 0.
    const START: u64 = 0x1000;

    /// Returns those of a controller: in memory, if it offers that.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub fn of(client: &Arc<Client>) -> Result<Self> {
        // CAP.DSTRD.
        let stride = 4 << (client.region(RegionIndex::Bar0).read::<u64>(0)? >> 32 & 0xf);
        let map = client.region_details(RegionIndex::Bar0)?.map()?;
        if map.contains(Self::START, usize::try_from(PAGE).unwrap_or(0)) {
            Ok(Doorbells::Mapped(map, stride))
        } else {
            Ok(Doorbells::Messages(Arc::clone(client), stride))
        }
    }

    fn ring(&self, index: u16, value: u32) -> Result<()> {
        match self {
            Doorbells::Mapped(map, stride) => {
                Ok(map.store(Self::START + stride * u64::from(index), value)?)
            }
            Doorbells::Messages(client, stride) => {
                let offset = Self::START + stride * u64::from(index);
                client.region(RegionIndex::Bar0).write(offset, value)
            }
            Doorbells::Shadow(shadow) => shadow.ring(index, value),
            Doorbells::Memory(bells) => {
                bells[usize::from(index)].store(value, Ordering::Release);
                Ok(())
            }
        }
    }
}

/// A submission queue and its completion queue, of the same number.
#[derive(Debug)]
pub struct QueuePair {
    memory: Arc<Memory>,
    bells: Doorbells,
    id: u16,
    size: u32,
    submission: u64,
    completion: u64,
    /// The end of the commands that were submitted.
    tail: u32,
    /// The next completion, and the phase that it will have.
    head: u32,
    phase: u32,
}

impl QueuePair {
    /// Creates a pair of empty queues with `size` entries each.
    pub fn new(memory: &Arc<Memory>, bells: Doorbells, id: u16, size: u16) -> Self {
        let size = u32::from(size);
        let [submission, completion] =
            [Command::SIZE, Completion::SIZE].map(|entry| memory.allocate(entry * u64::from(size)));
        let memory = Arc::clone(memory);
        QueuePair { memory, bells, id, size, submission, completion, tail: 0, head: 0, phase: 1 }
    }

    /// Returns the addresses of the submission queue and of the completion queue.
    pub fn addresses(&self) -> [u64; 2] {
        [self.submission, self.completion]
    }

    /// Rings elsewhere from now on.
    pub fn set_doorbells(&mut self, bells: Doorbells) {
        self.bells = bells;
    }

    /// Returns the memory of the queues.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Returns the entries of a queue. One of them stays empty.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Adds a command. The caller counts how many are under way: fewer than [`size`](Self::size).
    pub fn submit(&mut self, command: &Command) {
        let entry = self.submission + Command::SIZE * u64::from(self.tail);
        self.memory.write(entry, command.as_bytes());
        self.tail = self.next(self.tail);
    }

    /// Rings for the commands that were added.
    ///
    /// # Errors
    ///
    /// If the doorbell cannot be accessed.
    pub fn ring(&self) -> Result<()> {
        self.bells.ring(2 * self.id, self.tail)
    }

    /// Returns the next completion, if there is one.
    #[inline]
    pub fn poll(&mut self) -> Option<Completion> {
        let entry = self.completion + Completion::SIZE * u64::from(self.head);
        let last = self.memory.word(entry + 12).load(Ordering::Acquire);
        if last >> 16 & 1 != self.phase {
            return None;
        }
        let [result, queue] =
            [0, 8].map(|offset| self.memory.word(entry + offset).load(Ordering::Relaxed));
        self.head = self.next(self.head);
        self.phase ^= u32::from(self.head == 0);
        let [sq_head, id, status] =
            [queue, last, last >> 17].map(|half| u16::try_from(half & 0xffff).unwrap_or(0));
        Some(Completion { result, sq_head, id, status })
    }

    /// Rings for the completions that were returned, so that their entries are used again.
    ///
    /// # Errors
    ///
    /// If the doorbell cannot be accessed.
    pub fn release(&self) -> Result<()> {
        self.bells.ring(2 * self.id + 1, self.head)
    }

    /// Performs a command while no other one is in the queue. Returns its result.
    ///
    /// # Errors
    ///
    /// If the command fails, or is not completed.
    pub fn perform(&mut self, command: &Command) -> Result<u32> {
        self.submit(command);
        self.ring()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.poll() {
                Some(Completion { result, status: 0, .. }) => {
                    return self.release().map(|()| result);
                }
                Some(done) => return Err(failed(format_args!("{command:?} failed: {done:x?}"))),
                None if Instant::now() > deadline => {
                    return Err(failed(format_args!("{command:?} is not completed")));
                }
                None => thread::yield_now(),
            }
        }
    }

    fn next(&self, index: u32) -> u32 {
        if index + 1 == self.size { 0 } else { index + 1 }
    }
}
