//! State that migrates.

use std::sync::atomic::Ordering;

use vfio_user::Bench;
use vfio_user_virtio::{VirtioPci, features};

use crate::driver::Driver;
use crate::echo::{Echo, SHOUT};

fn bench() -> Bench<VirtioPci<Echo>> {
    Bench::new(VirtioPci::new(Echo::default())).unwrap()
}

/// Moves a device, and what is in memory.
fn migrate(mut driver: Driver<Echo>) -> Driver<Echo> {
    let stream = driver.bench.save();
    let mut bench = bench();
    bench.copy_memory(&driver.bench);
    bench.load(&stream).unwrap();
    Driver { bench, available: driver.available, sizes: driver.sizes }
}

#[test]
fn a_running_device_moves_between_two_requests() {
    let mut driver =
        Driver::start(VirtioPci::new(Echo::default()), SHOUT | features::RING_EVENT_IDX);
    driver.bench.write(0, 0x2000, 0x77_u8);
    for n in 1..20 {
        driver.send(0, 0, b"before");
        driver.wait_used(0, n);
        driver = migrate(driver);
        assert_eq!(driver.status(), 0x0f);
        assert_eq!(driver.bench.read::<u8>(0, 0x2000), 0x77);
    }
    assert_eq!(driver.bench.device().device().answered.load(Ordering::Relaxed), 19);
    driver.send(1, 2, b"after");
    driver.wait_used(1, 1);
    assert_eq!(&driver.answer::<5>(2), b"AFTER");
}

#[test]
fn a_broken_device_stays_broken() {
    let mut driver = Driver::start(VirtioPci::new(Echo::default()), 0);
    driver.offer(0, 99);
    driver.notify(0);
    driver.wait_broken();
    let mut driver = migrate(driver);
    assert_eq!(driver.status(), 0x4f);
}

#[test]
fn state_that_the_device_cannot_have_is_refused() {
    let mut driver = Driver::start(VirtioPci::new(Echo::default()), SHOUT);
    let load = |driver: &mut Driver<Echo>| {
        let stream = driver.bench.save();
        bench().load(&stream).map_err(|error| error.to_string())
    };
    assert_eq!(load(&mut driver), Ok(()));
    driver.bench.poke("driver_feature[0]", 3);
    assert!(load(&mut driver).is_err(), "a feature that is not offered");
    driver.bench.poke("driver_feature[0]", 1);
    driver.bench.poke("queues[0].size", 5);
    assert!(load(&mut driver).is_err(), "a size that is none");
    driver.bench.poke("queues[0].size", 16);
    driver.bench.device().device().answered.store(u32::MAX, Ordering::Relaxed);
    assert!(load(&mut driver).is_err(), "the device itself refuses");
}

#[test]
fn a_polling_device_loads_no_state_of_another_kind() {
    let mut driver = Driver::start(VirtioPci::new(Echo::default()), SHOUT);
    let stream = driver.bench.save();
    let mut other = Bench::new(VirtioPci::polling(Echo::default())).unwrap();
    assert!(other.load(&stream).is_err());
}
