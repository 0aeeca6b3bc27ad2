//! A virtio queue of the crate `virtio-queue`, over the memory of a device.

use std::sync::atomic::Ordering;

use vfio_user::function::Function;
use vfio_user::{Bench, Device, PciDevice, SessionDma};
use virtio_queue::{Queue, QueueT};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x1042)]
struct Nothing {}

impl Device for Nothing {
    type Event = ();
}

const SIZE: u16 = 8;
const TABLE: u64 = 0x1000;
const AVAIL: u64 = 0x2000;
const USED: u64 = 0x3000;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// The guest's side of the queue.
struct Driver {
    bench: Bench<Nothing>,
    avail: u16,
}

impl Driver {
    fn new() -> Self {
        Driver { bench: Bench::new(Nothing::default()).unwrap(), avail: 0 }
    }

    fn dma(&self) -> SessionDma {
        Function::dma(self.bench.function()).for_session()
    }

    fn descriptor(&self, table: u64, index: u16, address: u64, len: u32, flags: u16, next: u16) {
        let bytes = [
            &address.to_le_bytes()[..],
            &len.to_le_bytes(),
            &flags.to_le_bytes(),
            &next.to_le_bytes(),
        ];
        self.bench.write_memory(table + u64::from(index) * 16, &bytes.concat());
    }

    fn offer(&mut self, head: u16) {
        let slot = AVAIL + 4 + u64::from(self.avail % SIZE) * 2;
        self.bench.write_memory(slot, &head.to_le_bytes());
        self.avail = self.avail.wrapping_add(1);
        self.bench.write_memory(AVAIL + 2, &self.avail.to_le_bytes());
    }

    fn bytes<const N: usize>(&self, iova: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.bench.read_memory(iova, &mut bytes);
        bytes
    }
}

/// The device's side.
fn queue(dma: &SessionDma) -> Queue {
    let mut queue = Queue::new(SIZE).unwrap();
    queue.set_size(SIZE);
    queue.set_desc_table_address(Some(0x1000), Some(0));
    queue.set_avail_ring_address(Some(0x2000), Some(0));
    queue.set_used_ring_address(Some(0x3000), Some(0));
    queue.set_ready(true);
    assert!(queue.is_valid(&*dma.memory()));
    queue
}

/// Answers every request with its bytes in upper case.
fn process(queue: &mut Queue, dma: &SessionDma) -> Vec<u32> {
    let memory = dma.memory();
    let mut lens = Vec::new();
    while let Some(chain) = queue.pop_descriptor_chain(dma.memory()) {
        let head = chain.head_index();
        let echo = || -> Option<usize> {
            let mut reader = chain.clone().reader(&*memory).ok()?;
            let mut writer = chain.clone().writer(&*memory).ok()?;
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut bytes).ok()?;
            bytes.make_ascii_uppercase();
            std::io::Write::write(&mut writer, &bytes).ok()
        };
        let len = u32::try_from(echo().unwrap_or(0)).unwrap();
        queue.add_used(&*memory, head, len).unwrap();
        lens.push(len);
    }
    lens
}

#[test]
fn requests_are_read_and_answered() {
    let mut driver = Driver::new();
    let dma = driver.dma();
    let mut queue = queue(&dma);
    driver.bench.write_memory(0x8000, b"hello, ");
    driver.bench.write_memory(0x9000, b"device");
    driver.descriptor(TABLE, 0, 0x8000, 7, NEXT, 1);
    driver.descriptor(TABLE, 1, 0x9000, 6, NEXT, 2);
    driver.descriptor(TABLE, 2, 0xa000, 10, NEXT | WRITE, 3);
    driver.descriptor(TABLE, 3, 0xb000, 64, WRITE, 0);
    driver.offer(0);
    assert_eq!(process(&mut queue, &dma), [13]);
    assert_eq!(&driver.bytes::<10>(0xa000), b"HELLO, DEV");
    assert_eq!(&driver.bytes::<4>(0xb000), b"ICE\0");
    assert_eq!(driver.bytes::<2>(USED + 2), 1_u16.to_le_bytes());
    assert_eq!(driver.bytes::<8>(USED + 4), [[0, 0, 0, 0], 13_u32.to_le_bytes()].concat()[..]);
    assert_eq!(queue.avail_idx(&*dma.memory(), Ordering::Acquire).unwrap().0, 1);
}

#[test]
fn a_queue_goes_around_many_times() {
    let mut driver = Driver::new();
    let dma = driver.dma();
    let mut queue = queue(&dma);
    driver.descriptor(TABLE, 0, 0x8000, 4, NEXT, 1);
    driver.descriptor(TABLE, 1, 0xa000, 4, WRITE, 0);
    for n in 0..100_u8 {
        driver.bench.write_memory(0x8000, &[b'a', b'b', b'c', n]);
        driver.offer(0);
        assert_eq!(process(&mut queue, &dma), [4]);
        assert_eq!(driver.bytes::<4>(0xa000), [b'A', b'B', b'C', n.to_ascii_uppercase()]);
    }
    assert_eq!(driver.bytes::<2>(USED + 2), 100_u16.to_le_bytes());
}

#[test]
fn indirect_descriptors_are_followed() {
    let mut driver = Driver::new();
    let dma = driver.dma();
    let mut queue = queue(&dma);
    driver.bench.write_memory(0x8000, b"indirect");
    driver.descriptor(TABLE, 5, 0x4000, 32, INDIRECT, 0);
    driver.descriptor(0x4000, 0, 0x8000, 8, NEXT, 1);
    driver.descriptor(0x4000, 1, 0xa000, 8, WRITE, 0);
    driver.offer(5);
    assert_eq!(process(&mut queue, &dma), [8]);
    assert_eq!(&driver.bytes::<8>(0xa000), b"INDIRECT");
}

/// Buffers outside of memory, chains that go around, lengths that wrap.
#[test]
fn what_a_hostile_driver_offers_is_an_error() {
    let mut driver = Driver::new();
    let dma = driver.dma();
    let mut queue = queue(&dma);
    driver.descriptor(TABLE, 1, 0xa000, 8, WRITE, 0);
    for (address, len, flags, next) in [
        (Bench::<Nothing>::MEMORY, 8, NEXT, 1),
        (Bench::<Nothing>::MEMORY - 4, 8, NEXT, 1),
        (u64::MAX - 3, 8, NEXT, 1),
        (0x8000, u32::MAX, NEXT, 1),
        (0x8000, 8, NEXT, 0),
        (0x8000, 8, NEXT, 0xffff),
        (u64::MAX, 16, INDIRECT, 0),
    ] {
        driver.descriptor(TABLE, 0, address, len, flags, next);
        driver.offer(0);
        let lens = process(&mut queue, &dma);
        assert_eq!(lens.len(), 1, "{address:#x}");
    }
    assert_eq!(driver.bytes::<2>(USED + 2), 7_u16.to_le_bytes());
}
