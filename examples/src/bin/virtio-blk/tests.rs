//! Requests of a driver, on a bench.

use std::sync::Arc;
use std::time::Duration;

use vfio_user::Bench;
use vfio_user_examples::Disk;
use vfio_user_virtio::{VirtioPci, features};

use crate::blk::{Blk, feature, kind, status};

const SECTORS: u64 = 128;
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
const HEADER: u64 = 0x4000;
const STATUS: u64 = 0x5000;
const DATA: u64 = 0x1_0000;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
/// What a status is that was not written.
const NONE: u8 = 0xee;

fn blk() -> VirtioPci<Blk> {
    VirtioPci::new(Blk::new(
        Arc::new(Disk::memory(usize::try_from(SECTORS * 512).unwrap()).unwrap()),
        2,
    ))
}

mod generated {
    use super::{Blk, VirtioPci, blk};

    vfio_user::device_tests!(VirtioPci<Blk>, blk);
}

/// A driver of one queue of 4 entries.
struct Driver {
    bench: Bench<VirtioPci<Blk>>,
    count: u16,
}

impl Driver {
    fn new() -> Self {
        let mut bench = Bench::new(blk()).unwrap();
        bench.write(0, 0x14, 0x03_u8);
        let low = u32::try_from(feature::FLUSH | feature::DISCARD).unwrap();
        let high = u32::try_from(features::VERSION_1 >> 32).unwrap();
        for (word, half) in [(0_u32, low), (1, high)] {
            bench.write(0, 0x08, word);
            bench.write(0, 0x0c, half);
        }
        bench.write(0, 0x14, 0x0b_u8);
        bench.write(0, 0x18, 4_u16);
        bench.write(0, 0x1a, 1_u16);
        for (offset, area) in [(0x20, TABLE), (0x28, AVAILABLE), (0x30, USED)] {
            bench.write(0, offset, area);
        }
        bench.write(0, 0x1c, 1_u16);
        bench.write(0, 0x14, 0x0f_u8);
        Driver { bench, count: 0 }
    }

    /// Performs a request whose data is `len` bytes at `DATA`. Returns the status, and how many
    /// bytes the device has written.
    fn perform(&mut self, kind: u32, sector: u64, len: u32, flags: u16) -> (u8, u32) {
        let header = [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat();
        self.bench.write_memory(HEADER, &header);
        self.bench.write_memory(STATUS, &[NONE]);
        let parts = [(HEADER, 16, 0), (DATA, len, flags), (STATUS, 1, WRITE)];
        let mut table = Vec::new();
        for (index, (iova, len, flags)) in (1_u16..).zip(parts) {
            let (flags, next) = if index == 3 { (flags, 0) } else { (flags | NEXT, index) };
            table.extend_from_slice(&iova.to_le_bytes());
            table.extend_from_slice(&len.to_le_bytes());
            table.extend_from_slice(&[flags.to_le_bytes(), next.to_le_bytes()].concat());
        }
        self.bench.write_memory(TABLE, &table);
        self.bench.write_memory(AVAILABLE + 4 + 2 * u64::from(self.count % 4), &[0; 2]);
        let slot = USED + 4 + 8 * u64::from(self.count % 4);
        self.count += 1;
        self.bench.write_memory(AVAILABLE + 2, &self.count.to_le_bytes());
        self.bench.write(0, 0x3000, 0_u16);
        self.bench.wait_irq(1, Duration::from_secs(20)).unwrap();
        let ([status], written) = (self.bytes(STATUS), self.bytes(slot + 4));
        (status, u32::from_le_bytes(written))
    }

    fn bytes<const N: usize>(&self, iova: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.bench.read_memory(iova, &mut bytes);
        bytes
    }
}

#[test]
fn what_is_written_is_read() {
    let mut driver = Driver::new();
    driver.bench.write_memory(DATA, &[7; 1024]);
    assert_eq!(driver.perform(kind::OUT, 3, 1024, 0), (status::OK, 1));
    assert_eq!(driver.perform(kind::FLUSH, 0, 0, 0), (status::OK, 1));
    driver.bench.write_memory(DATA, &[0; 1536]);
    assert_eq!(driver.perform(kind::IN, 2, 1536, WRITE), (status::OK, 1537));
    let read: [u8; 1536] = driver.bytes(DATA);
    assert_eq!((&read[..512], &read[512..]), (&[0; 512][..], &[7; 1024][..]));
}

#[test]
fn sectors_that_do_not_exist_are_errors() {
    let mut driver = Driver::new();
    for (sector, len) in [(SECTORS, 512), (SECTORS - 1, 1024), (u64::MAX, 512), (0, 511)] {
        for (kind, flags) in [(kind::IN, WRITE), (kind::OUT, 0)] {
            assert_eq!(driver.perform(kind, sector, len, flags), (status::IOERR, 1), "{sector}");
        }
    }
    assert_eq!(driver.perform(kind::IN, SECTORS - 1, 512, WRITE), (status::OK, 513));
}

#[test]
fn ranges_are_cleared() {
    let mut driver = Driver::new();
    driver.bench.write_memory(DATA, &[7; 2048]);
    driver.perform(kind::OUT, 0, 2048, 0);
    let range = |sector: u64, count: u32, flags: u32| {
        [&sector.to_le_bytes()[..], &count.to_le_bytes(), &flags.to_le_bytes()].concat()
    };
    for (kind, sector, count, flags, expected) in [
        (kind::DISCARD, 1, 1, 0, status::OK),
        (kind::WRITE_ZEROES, 3, 1, 1, status::OK),
        (kind::WRITE_ZEROES, 0, 1, 2, status::UNSUPP),
        (kind::DISCARD, 0, 1, 1, status::UNSUPP),
        (kind::DISCARD, SECTORS, 1, 0, status::IOERR),
        (kind::DISCARD, 0, u32::MAX, 0, status::IOERR),
    ] {
        driver.bench.write_memory(DATA, &range(sector, count, flags));
        assert_eq!(driver.perform(kind, 0, 16, 0), (expected, 1), "{sector} {count} {flags}");
    }
    assert_eq!(driver.perform(kind::DISCARD, 0, 15, 0), (status::IOERR, 1), "no whole range");
    driver.perform(kind::IN, 0, 2048, WRITE);
    let firsts: [u8; 2048] = driver.bytes(DATA);
    assert_eq!([0, 512, 1024, 1536].map(|at| firsts[at]), [7, 0, 7, 0]);
}

#[test]
fn the_device_has_a_name_and_refuses_what_it_lacks() {
    let mut driver = Driver::new();
    assert_eq!(driver.perform(kind::GET_ID, 0, 20, WRITE), (status::OK, 21));
    assert_eq!(&driver.bytes::<20>(DATA), b"vfio-user-virtio-blk");
    assert_eq!(driver.perform(kind::GET_ID, 0, 4, WRITE), (status::OK, 5));
    assert_eq!(driver.perform(99, 0, 512, WRITE), (status::UNSUPP, 1));
    assert_eq!(driver.bench.read::<u64>(0, 0x2000), SECTORS);
    assert_eq!(driver.bench.read::<u16>(0, 0x2000 + 34), 2, "queues");
}

/// No place for the status.
#[test]
fn a_request_without_a_status_breaks_the_queue() {
    let mut driver = Driver::new();
    let descriptor = [&HEADER.to_le_bytes()[..], &16_u32.to_le_bytes(), &[0; 4]].concat();
    driver.bench.write_memory(TABLE, &descriptor);
    driver.bench.write_memory(AVAILABLE + 2, &1_u16.to_le_bytes());
    driver.bench.write(0, 0x3000, 0_u16);
    let is_broken = |driver: &mut Driver| {
        driver.bench.handle_events();
        driver.bench.read::<u8>(0, 0x14) & 0x40 != 0
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_broken(&mut driver) {
        assert!(std::time::Instant::now() < deadline, "the device needs a reset");
    }
}
