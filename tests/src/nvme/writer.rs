//! A guest that writes without a pause, and checks that each command is done once.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use super::{Command, Completion, Direction, QueuePair, SglDescriptor};
use crate::PATIENCE;

/// The entries of its queues.
const ENTRIES: u16 = 32;
/// Commands under way.
const DEPTH: u16 = ENTRIES - 1;
/// Parts of the namespace: more than commands under way, so no two of them write the same one.
const PARTS: u64 = 37;

/// A guest that writes the parts of a namespace again and again, each with the number of its
/// command at both ends.
#[derive(Debug)]
pub struct Writer {
    queues: QueuePair,
    /// Bytes of a part, and of a command.
    len: u32,
    /// The data of each command identifier.
    data: Vec<u64>,
    /// The number of the command that is under way with each identifier.
    under_way: Vec<Option<u64>>,
    submitted: u64,
    completed: u64,
}

impl Writer {
    /// The entries of its queues.
    pub const ENTRIES: u16 = ENTRIES;

    /// Returns the size of its namespace, with commands of `len` bytes.
    pub fn namespace(len: u32) -> u64 {
        PARTS * u64::from(len)
    }

    /// Creates a guest with these queues, whose commands have `len` bytes.
    pub fn new(queues: QueuePair, len: u32) -> Self {
        let data = (0..DEPTH).map(|_| queues.memory().allocate(len.into())).collect();
        let under_way = vec![None; DEPTH.into()];
        Writer { queues, len, data, under_way, submitted: 0, completed: 0 }
    }

    /// Returns its queues.
    pub fn queues(&mut self) -> &mut QueuePair {
        &mut self.queues
    }

    /// Returns how many commands it has submitted.
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Returns how many commands are completed.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// Submits a command with each identifier that is free.
    ///
    /// # Panics
    ///
    /// If it cannot ring.
    pub fn submit(&mut self) {
        for id in
            (0..DEPTH).filter(|id| self.under_way[usize::from(*id)].is_none()).collect::<Vec<_>>()
        {
            let (number, data) = (self.submitted, self.data[usize::from(id)]);
            for end in [data, data + u64::from(self.len) - 8] {
                self.queues.memory().write(end, &number.to_le_bytes());
            }
            let blocks = self.len / 512;
            let place = (number % PARTS * u64::from(blocks), blocks);
            let write = Command::transfer(Direction::Write, 1, place, [0, 0]);
            self.queues.submit(&write.with_sgl(SglDescriptor::Data(data, self.len)).with_id(id));
            self.under_way[usize::from(id)] = Some(number);
            self.submitted += 1;
        }
        self.queues.ring().expect("it rings");
    }

    /// Takes the completions that there are, each of a command that is under way. Returns how many
    /// commands are left.
    ///
    /// # Panics
    ///
    /// If a command has failed, or is completed twice.
    pub fn take(&mut self) -> u64 {
        while let Some(done) = self.queues.poll() {
            let Completion { id, status, .. } = done;
            assert_eq!(status, 0, "{done:?}");
            let number = self.under_way[usize::from(id)].take();
            assert!(number.is_some(), "{id} is completed twice");
            self.completed += 1;
        }
        self.submitted - self.completed
    }

    /// Waits for the completion of every command, and checks what is written to the disk.
    ///
    /// # Panics
    ///
    /// If a command is lost, or has not written what it should.
    pub fn finish(mut self, disk: &File) {
        let deadline = Instant::now() + PATIENCE;
        while self.take() > 0 {
            assert!(Instant::now() < deadline, "lost: {:?}", self.under_way);
        }
        thread::sleep(Duration::from_millis(50));
        assert_eq!(self.queues.poll(), None, "no other completion follows");
        for number in self.submitted - PARTS..self.submitted {
            let start = number % PARTS * u64::from(self.len);
            for end in [start, start + u64::from(self.len) - 8] {
                let mut word = [0; 8];
                disk.read_exact_at(&mut word, end).expect("the disk can be read");
                assert_eq!(u64::from_le_bytes(word), number);
            }
        }
    }
}
