//! A driver of virtio devices, on a bench.

use std::time::{Duration, Instant};

use vfio_user::Bench;
use vfio_user_virtio::{VirtioDevice, VirtioPci, features};

/// `device_status`.
pub(crate) const STATUS: u64 = 0x14;
pub(crate) const QUEUE_SELECT: u64 = 0x16;
pub(crate) const QUEUE_SIZE: u64 = 0x18;
pub(crate) const QUEUE_VECTOR: u64 = 0x1a;
pub(crate) const QUEUE_ENABLE: u64 = 0x1c;
pub(crate) const QUEUE_DESC: u64 = 0x20;
pub(crate) const QUEUE_RESET: u64 = 0x3a;
pub(crate) const NOTIFY: u64 = 0x3000;

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
pub(crate) const INDIRECT: u16 = 4;

/// Where buffers are.
pub(crate) const BUFFERS: u64 = 0x8_0000;
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Driver<D: VirtioDevice> {
    pub(crate) bench: Bench<VirtioPci<D>>,
    /// What was offered to each queue.
    pub(crate) available: [u16; 2],
    pub(crate) sizes: [u16; 2],
}

/// Where the areas of a queue are.
pub(crate) fn areas(queue: u16) -> [u64; 3] {
    let base = 0x1_0000 * (u64::from(queue) + 1);
    [base, base + 0x4000, base + 0x8000]
}

impl<D: VirtioDevice> Driver<D> {
    pub(crate) fn new(device: VirtioPci<D>) -> Self {
        Driver::of(Bench::new(device).expect("it can be served"))
    }

    pub(crate) fn of(bench: Bench<VirtioPci<D>>) -> Self {
        Driver { bench, available: [0; 2], sizes: [16; 2] }
    }

    /// Negotiates, sets two queues up with a vector each, and starts the device.
    pub(crate) fn start(device: VirtioPci<D>, features: u64) -> Self {
        let mut driver = Driver::new(device);
        assert!(driver.negotiate(features | features::VERSION_1));
        driver.set_up(0, 16);
        driver.set_up(1, 16);
        driver.set_status(0x0f);
        driver
    }

    pub(crate) fn status(&mut self) -> u8 {
        self.bench.handle_events();
        self.bench.read(0, STATUS)
    }

    pub(crate) fn set_status(&mut self, status: u8) {
        self.bench.write(0, STATUS, status);
    }

    /// Returns whether the device has accepted the features.
    pub(crate) fn negotiate(&mut self, features: u64) -> bool {
        self.set_status(0);
        self.set_status(0x03);
        for (word, half) in [(0_u32, features), (1, features >> 32)] {
            self.bench.write(0, 0x08, word);
            self.bench.write(0, 0x0c, u32::try_from(half & 0xffff_ffff).unwrap());
        }
        self.set_status(0x0b);
        self.status() & 0x08 != 0
    }

    pub(crate) fn set_up(&mut self, queue: u16, size: u16) {
        self.sizes[usize::from(queue)] = size;
        self.available[usize::from(queue)] = 0;
        self.bench.write_memory(areas(queue)[1], &[0; 0x1000]);
        self.bench.write_memory(areas(queue)[2], &[0; 0x1000]);
        self.bench.write(0, QUEUE_SELECT, queue);
        self.bench.write(0, QUEUE_SIZE, size);
        self.bench.write(0, QUEUE_VECTOR, queue + 1);
        for (offset, area) in [0, 8, 16].into_iter().zip(areas(queue)) {
            self.bench.write(0, QUEUE_DESC + offset, area);
        }
        self.bench.write(0, QUEUE_ENABLE, 1_u16);
    }

    /// Writes a descriptor into a table.
    pub(crate) fn describe(
        &self,
        table: u64,
        index: u16,
        (iova, len): (u64, u32),
        flags: u16,
        next: u16,
    ) {
        let bytes = [
            &iova.to_le_bytes()[..],
            &len.to_le_bytes(),
            &flags.to_le_bytes(),
            &next.to_le_bytes(),
        ];
        self.bench.write_memory(table + 16 * u64::from(index), &bytes.concat());
    }

    /// Makes a chain available, without a notification.
    pub(crate) fn offer(&mut self, queue: u16, head: u16) {
        let (index, ring) = (usize::from(queue), areas(queue)[1]);
        let slot = ring + 4 + 2 * u64::from(self.available[index] % self.sizes[index]);
        self.bench.write_memory(slot, &head.to_le_bytes());
        self.available[index] = self.available[index].wrapping_add(1);
        self.bench.write_memory(ring + 2, &self.available[index].to_le_bytes());
    }

    pub(crate) fn notify(&mut self, queue: u16) {
        self.bench.write(0, NOTIFY + 4 * u64::from(queue), queue);
    }

    /// Offers a request with a text at descriptor `head`, and notifies.
    pub(crate) fn send(&mut self, queue: u16, head: u16, text: &[u8]) {
        let (table, from) = (areas(queue)[0], BUFFERS + 0x1000 * u64::from(head));
        let len = u32::try_from(text.len()).unwrap();
        self.bench.write_memory(from, text);
        self.describe(table, head, (from, len), NEXT, head + 1);
        self.describe(table, head + 1, (from + 0x800, len), WRITE, 0);
        self.offer(queue, head);
        self.notify(queue);
    }

    /// Returns the answer to a request at descriptor `head`.
    pub(crate) fn answer<const N: usize>(&self, head: u16) -> [u8; N] {
        self.bytes(BUFFERS + 0x1000 * u64::from(head) + 0x800)
    }

    pub(crate) fn bytes<const N: usize>(&self, iova: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.bench.read_memory(iova, &mut bytes);
        bytes
    }

    pub(crate) fn used(&self, queue: u16) -> u16 {
        u16::from_le_bytes(self.bytes(areas(queue)[2] + 2))
    }

    /// Waits until so many requests have been used.
    pub(crate) fn wait_used(&mut self, queue: u16, count: u16) {
        self.wait("requests are used", |driver| driver.used(queue) == count);
    }

    pub(crate) fn wait_broken(&mut self) {
        // Longer than memory may be unmapped for a moment.
        self.wait("the device needs a reset", |driver| {
            driver.bench.advance(Duration::from_secs(1));
            driver.status() & 0x40 != 0
        });
    }

    pub(crate) fn wait(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not in time: {what}");
            self.bench.handle_events();
            std::thread::yield_now();
        }
    }
}
