//! Requests.

use std::time::Duration;

use vfio_user_virtio::{VirtioPci, features};

use crate::driver::{BUFFERS, Driver, INDIRECT, NEXT, QUEUE_RESET, QUEUE_SELECT, WRITE, areas};
use crate::echo::{Echo, SHOUT};

const TIMEOUT: Duration = Duration::from_secs(20);

fn start(features: u64) -> Driver<Echo> {
    Driver::start(VirtioPci::new(Echo::default()), features)
}

#[test]
fn requests_are_answered_and_interrupt_by_the_vector_of_their_queue() {
    let mut driver = start(SHOUT);
    driver.send(0, 0, b"first");
    assert_eq!(driver.bench.wait_irq(1, TIMEOUT).unwrap(), 1);
    assert_eq!(&driver.answer::<5>(0), b"FIRST");
    assert_eq!(driver.bytes::<8>(areas(0)[2] + 4), [0, 0, 0, 0, 5, 0, 0, 0]);
    driver.send(1, 4, b"other");
    assert_eq!(driver.bench.wait_irq(2, TIMEOUT).unwrap(), 1);
    assert_eq!((driver.used(0), driver.used(1)), (1, 1));
    assert_eq!(&driver.answer::<5>(4), b"OTHER");
}

#[test]
fn a_queue_goes_around_many_times() {
    let mut driver = start(0);
    for n in 0..100_u8 {
        driver.send(0, 2, &[b'a', n]);
        driver.wait_used(0, u16::from(n) + 1);
        assert_eq!(driver.answer::<2>(2), [b'a', n]);
    }
}

#[test]
fn more_requests_than_a_turn_takes_are_all_answered() {
    let mut driver = Driver::new(VirtioPci::new(Echo::default()));
    driver.negotiate(features::VERSION_1 | SHOUT);
    driver.set_up(1, 256);
    driver.set_status(0x0f);
    driver.describe(areas(1)[0], 0, (BUFFERS, 4), WRITE, 0);
    (0..200).for_each(|_| driver.offer(1, 0));
    driver.notify(1);
    driver.wait_used(1, 200);
}

#[test]
fn buffers_may_lie_anywhere() {
    let mut driver = start(SHOUT);
    let table = areas(0)[0];
    driver.bench.write_memory(BUFFERS, b"in many ");
    driver.bench.write_memory(BUFFERS + 0x1000, b"pieces");
    driver.describe(table, 0, (BUFFERS, 8), NEXT, 5);
    driver.describe(table, 5, (BUFFERS + 0x1000, 6), NEXT, 2);
    driver.describe(table, 2, (BUFFERS + 0x2000, 9), NEXT | WRITE, 7);
    driver.describe(table, 7, (BUFFERS + 0x3000, 64), WRITE, 0);
    driver.offer(0, 0);
    driver.notify(0);
    driver.wait_used(0, 1);
    assert_eq!(&driver.bytes::<9>(BUFFERS + 0x2000), b"IN MANY P");
    assert_eq!(&driver.bytes::<6>(BUFFERS + 0x3000), b"IECES\0");
}

#[test]
fn descriptors_may_be_in_a_table_of_their_own() {
    let mut driver = start(features::RING_INDIRECT_DESC | SHOUT);
    let inner = BUFFERS + 0x8000;
    driver.bench.write_memory(BUFFERS, b"indirect");
    driver.describe(areas(0)[0], 3, (inner, 32), INDIRECT, 0);
    driver.describe(inner, 0, (BUFFERS, 8), NEXT, 1);
    driver.describe(inner, 1, (BUFFERS + 0x1000, 8), WRITE, 0);
    driver.offer(0, 3);
    driver.notify(0);
    driver.wait_used(0, 1);
    assert_eq!(&driver.bytes::<8>(BUFFERS + 0x1000), b"INDIRECT");
}

#[test]
fn a_driver_that_polls_is_not_interrupted() {
    let mut driver = start(0);
    driver.bench.write_memory(areas(0)[1], &1_u16.to_le_bytes());
    driver.send(0, 0, b"quiet");
    driver.wait_used(0, 1);
    // The interrupt of the other queue follows.
    driver.send(1, 2, b"loud");
    driver.bench.wait_irq(2, TIMEOUT).unwrap();
    assert_eq!(driver.bench.take_irq(1), 0);
}

#[test]
fn with_event_indices_the_driver_chooses_when_it_is_interrupted() {
    let mut driver = start(features::RING_EVENT_IDX);
    // `used_event`, behind the available ring: not before the third.
    driver.bench.write_memory(areas(0)[1] + 4 + 32, &2_u16.to_le_bytes());
    for n in 1..3 {
        driver.send(0, 0, b"x");
        driver.wait_used(0, n);
    }
    driver.send(1, 2, b"other");
    driver.wait_used(1, 1);
    driver.send(0, 0, b"x");
    assert_eq!(driver.bench.wait_irq(1, TIMEOUT).unwrap(), 1);
    driver.wait("notifications are wanted again", |driver| {
        // `avail_event`, behind the used ring.
        u16::from_le_bytes(driver.bytes(areas(0)[2] + 4 + 128)) == 3
    });
}

#[test]
fn requests_wait_while_the_device_is_no_bus_master() {
    let mut driver = start(SHOUT);
    driver.bench.write_config(0x04, 0x0002_u16);
    driver.send(0, 0, b"wait");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!((driver.used(0), driver.status()), (0, 0x0f));
    driver.bench.write_config(0x04, 0x0006_u16);
    driver.wait_used(0, 1);
    assert_eq!(&driver.answer::<4>(0), b"WAIT");
}

#[test]
fn a_queue_is_reset_alone() {
    let mut driver = start(features::RING_RESET | SHOUT);
    driver.send(0, 0, b"one");
    driver.send(1, 2, b"two");
    driver.wait_used(0, 1);
    driver.wait_used(1, 1);
    driver.bench.write(0, QUEUE_SELECT, 0_u16);
    driver.bench.write(0, QUEUE_RESET, 1_u16);
    assert_eq!(driver.bench.read::<u16>(0, QUEUE_RESET), 0);
    assert_eq!(driver.bench.read::<u16>(0, 0x1c), 0, "it is not enabled");
    driver.set_up(0, 8);
    driver.send(0, 0, b"again");
    driver.wait_used(0, 1);
    driver.send(1, 2, b"on");
    driver.wait_used(1, 2);
    assert_eq!(&driver.answer::<5>(0), b"AGAIN");
}

#[test]
fn a_polling_device_finds_requests_by_itself() {
    let mut driver = Driver::start(VirtioPci::polling(Echo::default()), SHOUT);
    for n in 1..10 {
        driver.bench.write_memory(BUFFERS, b"unrung");
        driver.describe(areas(0)[0], 0, (BUFFERS, 6), NEXT, 1);
        driver.describe(areas(0)[0], 1, (BUFFERS + 0x800, 6), WRITE, 0);
        driver.offer(0, 0);
        driver.wait_used(0, n);
    }
    assert_eq!(&driver.answer::<6>(0), b"UNRUNG");
    let asks_for_none = u16::from_le_bytes(driver.bytes(areas(0)[2]));
    assert_eq!(asks_for_none, 1);
    driver.bench.shared(2).store(0, 0_u16).unwrap();
    driver.set_status(0);
}
