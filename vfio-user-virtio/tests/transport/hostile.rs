//! What a hostile driver does: no panic, no hang, and the device needs a reset.

use std::time::Duration;

use vfio_user::Bench;
use vfio_user_virtio::{VirtioPci, features};

use crate::driver::{
    BUFFERS, Driver, INDIRECT, NEXT, QUEUE_DESC, QUEUE_ENABLE, QUEUE_SELECT, QUEUE_SIZE, WRITE,
    areas,
};
use crate::echo::{Echo, SHOUT};

const END: u64 = Bench::<VirtioPci<Echo>>::MEMORY;

fn start() -> Driver<Echo> {
    Driver::start(VirtioPci::new(Echo::default()), features::RING_INDIRECT_DESC | SHOUT)
}

/// The device needs a reset; after one it works.
fn breaks(mut driver: Driver<Echo>) {
    driver.bench.write(0, 0x10, 0_u16);
    driver.wait_broken();
    driver.negotiate(features::VERSION_1 | SHOUT);
    assert_eq!(driver.status() & 0x40, 0);
    driver.set_up(0, 16);
    driver.set_up(1, 16);
    driver.set_status(0x0f);
    driver.send(0, 0, b"recovered");
    driver.wait_used(0, 1);
    assert_eq!(&driver.answer::<9>(0), b"RECOVERED");
}

#[test]
fn chains_that_do_not_end() {
    let inner = BUFFERS + 0x8000;
    for (flags, next) in [(NEXT, 0), (NEXT, 16), (NEXT, 0xffff), (NEXT | WRITE, 0)] {
        let mut driver = start();
        driver.describe(areas(0)[0], 0, (BUFFERS, 8), flags, next);
        driver.offer(0, 0);
        driver.notify(0);
        breaks(driver);
    }
    // An indirect table in an indirect table, longer than the queue, of a wrong length.
    for (len, flags) in [(16, INDIRECT), (17 * 16, NEXT), (15, 0), (u32::MAX, NEXT), (0, 0)] {
        let mut driver = start();
        driver.describe(areas(0)[0], 0, (inner, len), INDIRECT, 0);
        for index in 0..32 {
            driver.describe(inner, index, (inner, 16), flags, index + 1);
        }
        driver.offer(0, 0);
        driver.notify(0);
        breaks(driver);
    }
}

#[test]
fn buffers_outside_of_memory() {
    for (iova, len) in [(END, 8), (END - 4, 8), (u64::MAX - 3, 8), (BUFFERS, u32::MAX)] {
        for flags in [0, WRITE] {
            let mut driver = start();
            driver.describe(areas(0)[0], 0, (iova, len), flags, 0);
            driver.offer(0, 0);
            driver.notify(0);
            breaks(driver);
        }
    }
    let mut driver = start();
    driver.describe(areas(0)[0], 0, (u64::MAX - 15, 16), INDIRECT, 0);
    driver.offer(0, 0);
    driver.notify(0);
    breaks(driver);
}

/// Clients unmap memory for a moment, and firmware lets them.
#[test]
fn memory_that_is_not_mapped_is_waited_for() {
    let mut driver = start();
    driver.describe(areas(0)[0], 0, (END, 8), WRITE, 0);
    driver.offer(0, 0);
    driver.notify(0);
    for _ in 0..10 {
        assert_eq!(driver.status() & 0x40, 0);
        driver.notify(0);
        std::thread::sleep(Duration::from_millis(1));
    }
    // It is there now.
    driver.describe(areas(0)[0], 0, (BUFFERS, 8), WRITE, 0);
    driver.notify(0);
    driver.wait_used(0, 1);
    driver.bench.advance(Duration::from_secs(1));
    driver.send(0, 2, b"on");
    driver.wait_used(0, 2);
    assert_eq!(driver.status() & 0x40, 0);
}

#[test]
fn readable_buffers_behind_writable_ones() {
    let mut driver = start();
    driver.describe(areas(0)[0], 0, (BUFFERS, 8), NEXT | WRITE, 1);
    driver.describe(areas(0)[0], 1, (BUFFERS, 8), 0, 0);
    driver.offer(0, 0);
    driver.notify(0);
    breaks(driver);
}

#[test]
fn heads_that_do_not_exist() {
    for head in [16, 17, 0xffff] {
        let mut driver = start();
        driver.offer(0, head);
        driver.notify(0);
        breaks(driver);
    }
}

#[test]
fn available_indices_that_jump() {
    for jump in [17, 0x8000, 0xffff] {
        let mut driver = start();
        driver.describe(areas(0)[0], 0, (BUFFERS, 8), WRITE, 0);
        driver.available[0] = jump - 1;
        driver.offer(0, 0);
        driver.notify(0);
        breaks(driver);
    }
}

#[test]
fn queues_that_cannot_be() {
    let set_up = |size: u16, areas: [u64; 3]| {
        let mut driver = Driver::new(VirtioPci::new(Echo::default()));
        driver.negotiate(features::VERSION_1);
        driver.bench.write(0, QUEUE_SELECT, 0_u16);
        driver.bench.write(0, QUEUE_SIZE, size);
        for (offset, area) in [0, 8, 16].into_iter().zip(areas) {
            driver.bench.write(0, QUEUE_DESC + offset, area);
        }
        driver.bench.write(0, QUEUE_ENABLE, 1_u16);
        driver.set_status(0x0f);
        breaks(driver);
    };
    for size in [0, 3, 15, 32, 0x8000, 0xffff] {
        set_up(size, areas(0));
    }
    for wrong in [
        [0x1_0008, 0x1_4000, 0x1_8000],
        [0x1_0000, 0x1_4001, 0x1_8000],
        [0x1_0000, 0x1_4000, 0x1_8002],
        [END, 0x1_4000, 0x1_8000],
        [0x1_0000, END - 2, 0x1_8000],
        [0x1_0000, 0x1_4000, END - 4],
        [0x1_0000, 0x1_4000, u64::MAX - 3],
    ] {
        set_up(16, wrong);
    }
}

#[test]
fn a_device_that_runs_before_its_features_are_negotiated() {
    let mut driver = Driver::new(VirtioPci::new(Echo::default()));
    driver.set_status(0x07);
    breaks(driver);
}

/// Nothing that is not enabled is served, and nothing is rung that does not exist.
#[test]
fn notifications_of_queues_that_do_not_run() {
    let mut driver = Driver::new(VirtioPci::new(Echo::default()));
    (0..64).for_each(|queue| driver.notify(queue));
    driver.negotiate(features::VERSION_1);
    (0..64).for_each(|queue| driver.notify(queue));
    driver.set_status(0x0f);
    (0..64).for_each(|queue| driver.notify(queue));
    assert_eq!(driver.status(), 0x0f);
}

/// Memory for which the client shares no descriptor.
#[test]
fn queues_in_private_memory_are_refused_with_a_reason() {
    let bench = Bench::with_private_memory(VirtioPci::new(Echo::default())).unwrap();
    let mut driver = Driver::of(bench);
    driver.negotiate(features::VERSION_1);
    driver.set_up(0, 16);
    driver.set_status(0x0f);
    driver.wait_broken();
}
