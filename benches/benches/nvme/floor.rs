//! The floor: a thread that does what a controller cannot avoid.
//!
//! It polls a doorbell, copies each command out of shared memory, moves the page with one copy, and
//! stores the completion. It checks nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use vfio_user::zerocopy::FromBytes;
use vfio_user_tests::nvme::{Command, Completion, Doorbells, Memory, Namespace, PAGE, QueuePair};

use crate::cpu;

/// Bytes of a block.
const BLOCK: u64 = 512;
const WRITE: u32 = 0x01;

/// The thread, which ends when this is dropped.
pub(crate) struct Floor {
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    blocks: u64,
}

impl Floor {
    /// Starts it, on a processor of its own. Returns the queue pair that it serves.
    pub(crate) fn start(
        memory: &Arc<Memory>,
        entries: u16,
        len: usize,
        cpu: usize,
    ) -> (Self, QueuePair) {
        let bells: Arc<[AtomicU32]> = (0..4).map(|_| AtomicU32::new(0)).collect();
        let queues = QueuePair::new(memory, Doorbells::Memory(Arc::clone(&bells)), 1, entries);
        let is_closed = Arc::new(AtomicBool::new(false));
        let mut server = Server {
            memory: Arc::clone(memory),
            queues: queues.addresses(),
            size: entries.into(),
            bells,
            is_closed: Arc::clone(&is_closed),
            disk: vec![Page([0; 4096]); len / size_of::<Page>()],
        };
        let thread = thread::spawn(move || {
            cpu::pin(cpu).expect("the processor exists");
            server.serve();
        });
        (Floor { is_closed, thread: Some(thread), blocks: len as u64 / BLOCK }, queues)
    }

    pub(crate) fn namespace(&self) -> Namespace {
        Namespace { nsid: 1, blocks: self.blocks, block: BLOCK }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    memory: Arc<Memory>,
    /// The addresses of the submission queue and of the completion queue.
    queues: [u64; 2],
    size: u32,
    bells: Arc<[AtomicU32]>,
    is_closed: Arc<AtomicBool>,
    disk: Vec<Page>,
}

/// A page, aligned as one: processors copy slower between places that differ by a few bytes.
#[derive(Clone)]
#[repr(align(4096))]
struct Page([u8; 4096]);

impl Server {
    fn serve(&mut self) {
        let (mut head, mut phase) = (0, 1);
        while !self.is_closed.load(Ordering::Relaxed) {
            // The driver has fewer commands under way than there are entries, so there is room.
            let tail = self.bells[2].load(Ordering::Acquire);
            while head != tail {
                let id = self.perform(head);
                self.complete(head, id, phase);
                head = if head + 1 == self.size { 0 } else { head + 1 };
                phase ^= u32::from(head == 0);
            }
        }
    }

    /// Moves the page of a command. Returns its identifier.
    fn perform(&mut self, head: u32) -> u32 {
        let mut entry = [0; 64];
        self.memory.read(self.queues[0] + Command::SIZE * u64::from(head), &mut entry);
        let command = Command::read_from_bytes(&entry).expect("it is as large");
        let place = u64::from(command.cdw10[0].get()) * BLOCK / PAGE;
        let Page(page) = &mut self.disk[usize::try_from(place).unwrap_or(0)];
        let cdw0 = command.cdw0.get();
        match cdw0 & 0xff {
            WRITE => self.memory.read(command.prp1.get(), page),
            _ => self.memory.write(command.prp1.get(), page),
        }
        cdw0 >> 16
    }

    /// Completes a command. Both queues have the same place: one command is done after the other.
    fn complete(&self, head: u32, id: u32, phase: u32) {
        let entry = self.queues[1] + Completion::SIZE * u64::from(head);
        self.memory.word(entry + 8).store(1 << 16 | head, Ordering::Relaxed);
        self.memory.word(entry + 12).store(phase << 16 | id, Ordering::Release);
    }
}
