//! From the first status bit to a running device.

use std::sync::atomic::Ordering;

use vfio_user_virtio::{VirtioPci, features};

use crate::driver::{Driver, QUEUE_ENABLE, QUEUE_SELECT, QUEUE_SIZE, QUEUE_VECTOR};
use crate::echo::{Echo, SHOUT};

fn driver() -> Driver<Echo> {
    Driver::new(VirtioPci::new(Echo::default()))
}

#[test]
fn features_are_shown_in_words() {
    let mut driver = driver();
    let mut words = [0_u32, 1, 2, 3].map(|word| {
        driver.bench.write(0, 0x00, word);
        driver.bench.read::<u32>(0, 0x04)
    });
    words[..2].reverse();
    let offered = u64::from(words[0]) << 32 | u64::from(words[1]);
    assert_eq!(offered, features::TRANSPORT | SHOUT);
    assert_eq!(words[2..], [0, 0]);
}

#[test]
fn features_are_refused_without_version_1_or_if_they_are_not_offered() {
    let mut driver = driver();
    assert!(!driver.negotiate(SHOUT));
    assert!(!driver.negotiate(features::VERSION_1 | 1 << 5));
    assert!(!driver.negotiate(features::VERSION_1 | 1 << 63));
    assert_eq!(driver.status(), 0x03);
    // No features are defined there yet.
    for (word, features, status) in [(1_u32, 1_u32, 0x0b), (3, 0x8000_0000, 0x03), (3, 0, 0x0b)] {
        driver.set_status(0);
        driver.bench.write(0, 0x08, 1_u32);
        driver.bench.write(0, 0x0c, 1_u32);
        driver.bench.write(0, 0x08, word);
        driver.bench.write(0, 0x0c, features);
        driver.set_status(0x0b);
        assert_eq!(driver.status() | 0x03, status);
    }
    assert!(driver.negotiate(features::TRANSPORT | SHOUT));
}

#[test]
fn negotiated_features_are_fixed() {
    let mut driver = driver();
    assert!(driver.negotiate(features::VERSION_1));
    driver.bench.write(0, 0x08, 0_u32);
    driver.bench.write(0, 0x0c, 1_u32);
    assert_eq!(driver.bench.read::<u32>(0, 0x0c), 0);
}

#[test]
fn bits_of_the_status_are_cleared_by_a_reset_alone() {
    let mut driver = driver();
    driver.negotiate(features::VERSION_1);
    driver.set_status(0x01);
    assert_eq!(driver.status(), 0x0b);
    driver.set_status(0x40);
    assert_eq!(driver.status(), 0x0b, "the device alone sets that");
    driver.set_status(0x80);
    assert_eq!(driver.status(), 0x8b);
    driver.bench.write(0, QUEUE_SIZE, 4_u16);
    driver.set_status(0);
    assert_eq!(driver.status(), 0);
    assert_eq!(driver.bench.read::<u16>(0, QUEUE_SIZE), 16);
}

#[test]
fn queues_are_as_large_as_the_device_says() {
    let mut driver = driver();
    assert_eq!(driver.bench.read::<u16>(0, 0x12), 2);
    let sizes = [0, 1, 2, 63, 64, u16::MAX].map(|queue| {
        driver.bench.write(0, QUEUE_SELECT, queue);
        let offset = driver.bench.read::<u16>(0, 0x1e);
        (driver.bench.read::<u16>(0, QUEUE_SIZE), offset)
    });
    assert_eq!(sizes, [(16, 0), (256, 1), (0, 0), (0, 0), (0, 0), (0, 0)]);
}

#[test]
fn vectors_that_do_not_exist_are_none() {
    let mut driver = driver();
    for (vector, mapped) in [(0_u16, 0_u16), (2, 2), (3, 0xffff), (0xffff, 0xffff)] {
        for offset in [0x10, QUEUE_VECTOR] {
            driver.bench.write(0, offset, vector);
            assert_eq!(driver.bench.read::<u16>(0, offset), mapped);
        }
    }
}

#[test]
fn an_enabled_queue_keeps_its_place() {
    let mut driver = driver();
    driver.negotiate(features::VERSION_1);
    driver.set_up(0, 8);
    driver.bench.write(0, QUEUE_SIZE, 4_u16);
    driver.bench.write(0, 0x20, u64::MAX);
    driver.bench.write(0, QUEUE_ENABLE, 0_u16);
    let now = [QUEUE_SIZE, QUEUE_ENABLE].map(|offset| driver.bench.read::<u16>(0, offset));
    assert_eq!(now, [8, 1]);
    assert_eq!(driver.bench.read::<u64>(0, 0x20), 0x1_0000);
}

#[test]
fn a_reset_stops_the_device() {
    let mut driver = Driver::start(VirtioPci::new(Echo::default()), SHOUT);
    driver.send(0, 0, b"one");
    driver.wait_used(0, 1);
    driver.set_status(0);
    assert_eq!(driver.bench.device().device().answered.load(Ordering::Relaxed), 0);
    driver.send(0, 0, b"two");
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(driver.used(0), 1);
    driver.negotiate(features::VERSION_1);
    driver.set_up(0, 16);
    driver.set_status(0x0f);
    driver.send(0, 0, b"two");
    driver.wait_used(0, 1);
    assert_eq!(&driver.answer::<3>(0), b"two");
}

#[test]
fn a_change_of_the_configuration_is_noticed() {
    let mut driver = Driver::start(VirtioPci::new(Echo::default()), 0);
    driver.bench.write(0, 0x10, 0_u16);
    let generation = driver.bench.read::<u8>(0, 0x15);
    let activation = driver.bench.device().device().activation.lock().unwrap().clone().unwrap();
    activation.config_changed();
    driver.bench.handle_events();
    assert_eq!(driver.bench.take_irq(0), 1);
    assert_ne!(driver.bench.read::<u8>(0, 0x15), generation);
    driver.set_status(0);
    activation.config_changed();
    driver.bench.handle_events();
    assert_eq!(driver.bench.take_irq(0), 0);
}
