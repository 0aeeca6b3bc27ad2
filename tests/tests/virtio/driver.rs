//! A driver over a client.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::EventFd;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, RegionIndex};
use vfio_user_tests::serve::Running;
use vfio_user_tests::{PATIENCE, files};
use vfio_user_virtio::{VirtioPci, features};

use crate::counter::Counter;

pub(crate) const BAR0: RegionIndex = RegionIndex::Bar0;
pub(crate) const RIGHTS: DmaMapFlags = DmaMapFlags::READ.union(DmaMapFlags::WRITE);
pub(crate) const MEMORY: u64 = 0x10_0000;
const STATUS: u64 = 0x14;
const TABLE: u64 = 0x1_0000;
const AVAILABLE: u64 = 0x1_4000;
const USED: u64 = 0x1_8000;
const BUFFERS: u64 = 0x2_0000;
pub(crate) const SIZE: u16 = 64;

/// A device that is served, and its client.
pub(crate) struct Place {
    pub(crate) client: Client,
    _running: Running,
}

impl Place {
    pub(crate) fn new() -> Self {
        let running = Running::at_path(|| VirtioPci::new(Counter::default()));
        let client = Client::attach(running.path()).unwrap();
        Place { client, _running: running }
    }

    /// With guest memory.
    pub(crate) fn with_memory(memory: &File) -> Self {
        let place = Place::new();
        let file = memory.as_fd();
        let mapping = DmaMapping { iova: 0, size: MEMORY, file, offset: 0, rights: RIGHTS };
        place.client.dma_map(mapping).unwrap();
        place
    }

    /// Assigns eventfds to the vectors of the configuration and of the two queues.
    pub(crate) fn vectors(&self) -> [EventFd; 3] {
        let vectors = [(); 3].map(|()| EventFd::new().unwrap());
        let assigned: Vec<_> = vectors.iter().map(Some).collect();
        self.client.set_irqs(IrqIndex::Msix, 0, &assigned).unwrap();
        vectors
    }

    pub(crate) fn status(&self) -> u8 {
        self.client.region(BAR0).read(STATUS).unwrap()
    }

    /// Negotiates, sets up the first queue and starts the device.
    pub(crate) fn start(&self, vectors: bool) {
        let bar = self.client.region(BAR0);
        let accepted = features::VERSION_1 | features::RING_EVENT_IDX;
        for status in [0_u8, 0x03] {
            bar.write(STATUS, status).unwrap();
        }
        for (word, half) in [(0_u32, accepted), (1, accepted >> 32)] {
            bar.write(0x08, word).unwrap();
            bar.write(0x0c, u32::try_from(half & 0xffff_ffff).unwrap()).unwrap();
        }
        bar.write(STATUS, 0x0b_u8).unwrap();
        bar.write(0x16, 0_u16).unwrap();
        if vectors {
            bar.write(0x10, 0_u16).unwrap();
            bar.write(0x1a, 1_u16).unwrap();
        }
        for (offset, area) in [(0x20, TABLE), (0x28, AVAILABLE), (0x30, USED)] {
            bar.write(offset, area).unwrap();
        }
        bar.write(0x1c, 1_u16).unwrap();
        bar.write(STATUS, 0x0f_u8).unwrap();
    }

    pub(crate) fn notify(&self) {
        self.client.region(BAR0).write(0x3000, 0_u16).unwrap();
    }

    pub(crate) fn is_broken(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.status() & 0x40 == 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.status() & 0x40 != 0
    }
}

/// The driver's memory.
pub(crate) struct Driver {
    pub(crate) memory: File,
    offered: u16,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Driver { memory: files::memory(MEMORY), offered: 0 }
    }

    /// Starts again with empty rings.
    pub(crate) fn forget(&mut self) {
        self.offered = 0;
        self.put(AVAILABLE, &[0; 0x4000]);
        self.put(USED, &[0; 0x4000]);
    }

    fn put(&self, iova: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, iova).unwrap();
    }

    fn get<const N: usize>(&self, iova: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory.read_exact_at(&mut bytes, iova).unwrap();
        bytes
    }

    fn buffer(n: u16) -> u64 {
        BUFFERS + 64 * u64::from(n % (SIZE / 2))
    }

    /// Offers a request of a number, without a notification. Up to half of the queue may wait.
    pub(crate) fn offer(&mut self) {
        let buffer = Self::buffer(self.offered);
        self.put(buffer, &u32::from(self.offered).to_le_bytes());
        self.offer_at(buffer, buffer + 16);
    }

    /// Offers a request whose question and answer are somewhere.
    pub(crate) fn offer_at(&mut self, question: u64, answer: u64) {
        let head = 2 * (self.offered % (SIZE / 2));
        let descriptors = [(question, 4_u32, 1_u16, head + 1), (answer, 8, 2, 0)];
        for (index, (iova, len, flags, next)) in (u64::from(head)..).zip(descriptors) {
            let bytes = [
                &iova.to_le_bytes()[..],
                &len.to_le_bytes(),
                &flags.to_le_bytes(),
                &next.to_le_bytes(),
            ];
            self.put(TABLE + 16 * index, &bytes.concat());
        }
        self.put(AVAILABLE + 4 + 2 * u64::from(self.offered % SIZE), &head.to_le_bytes());
        self.offered = self.offered.wrapping_add(1);
        self.put(AVAILABLE + 2, &self.offered.to_le_bytes());
        // `used_event`: an interrupt for each.
        self.put(AVAILABLE + 4 + 2 * u64::from(SIZE), &(self.offered - 1).to_le_bytes());
    }

    pub(crate) fn used(&self) -> u16 {
        u16::from_le_bytes(self.get(USED + 2))
    }

    /// Waits until all that was offered is used.
    #[track_caller]
    pub(crate) fn wait_used(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.used() != self.offered {
            assert!(Instant::now() < deadline, "{} of {} are used", self.used(), self.offered);
            thread::yield_now();
        }
    }

    /// Returns number and question of the answer to request `n`.
    pub(crate) fn answer(&self, n: u16) -> [u32; 2] {
        let bytes: [u8; 8] = self.get(Self::buffer(n) + 16);
        [0, 4].map(|at| u32::from_le_bytes(*bytes[at..].first_chunk().unwrap()))
    }
}
