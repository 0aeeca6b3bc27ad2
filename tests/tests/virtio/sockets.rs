//! Interrupts, notifications, and memory for which the client shares no descriptor.

use std::sync::{Arc, Mutex};
use std::thread;

use vfio_user::EventFd;
use vfio_user::protocol::{IrqAction, IrqIndex, MigrationState, RegionIndex};
use vfio_user_tests::PATIENCE;

use crate::driver::{BAR0, Driver, MEMORY, Place, RIGHTS};

#[test]
fn each_queue_interrupts_by_its_vector() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    let [_, vector, other] = place.vectors();
    place.start(true);
    for n in 0..3 {
        driver.offer();
        place.notify();
        assert!(vector.wait(PATIENCE).unwrap().is_some());
        assert_eq!(driver.answer(n), [u32::from(n); 2]);
    }
    assert_eq!(other.take(), None);
}

/// The line, whose cause is in the ISR status.
#[test]
fn without_vectors_the_line_is_asserted_until_the_driver_reads_why() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    let line = EventFd::new().unwrap();
    place.client.set_irqs(IrqIndex::Intx, 0, &[Some(&line)]).unwrap();
    place.start(false);
    let is_asserted = || {
        let status: u16 = place.client.region(RegionIndex::Config).read(0x06).unwrap();
        status & 1 << 3 != 0
    };
    for _ in 0..3 {
        driver.offer();
        place.notify();
        assert!(line.wait(PATIENCE).unwrap().is_some());
        assert!(is_asserted());
        let causes = [0; 2].map(|_: u8| place.client.region(BAR0).read::<u8>(0x1000).unwrap());
        assert_eq!(causes, [1, 0]);
        assert!(!is_asserted());
        place.client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    }
}

#[test]
fn queues_are_notified_by_eventfds() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    let bells = place.client.ioeventfds(BAR0).unwrap();
    let places: Vec<_> = bells.iter().map(|bell| bell.offset).collect();
    assert_eq!(places, [0x3000, 0x3004], "of the queues that exist");
    place.start(true);
    for _ in 0..10 {
        driver.offer();
        bells[0].eventfd.signal();
        driver.wait_used();
    }
}

/// A driver that rings all the time, while the device stops and continues and its client resets it.
#[test]
fn no_ring_is_lost_over_stops_and_resets() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    let bells = place.client.ioeventfds(BAR0).unwrap();
    for round in 0..5 {
        place.start(true);
        let mut stops = 0;
        thread::scope(|scope| {
            let ringing = scope.spawn(|| {
                for _ in 0..100 {
                    driver.offer();
                    bells[0].eventfd.signal();
                    driver.wait_used();
                }
            });
            loop {
                place.client.set_migration_state(MigrationState::StopCopy).unwrap();
                place.client.set_migration_state(MigrationState::Running).unwrap();
                stops += 1;
                if ringing.is_finished() {
                    break;
                }
            }
        });
        assert!(stops > 0 && place.status() == 0x0f, "round {round}, {stops} stops");
        // The last ring may be one that the next epoch finds.
        bells[0].eventfd.signal();
        place.client.reset().unwrap();
        driver.forget();
    }
}

#[test]
fn queues_in_memory_without_a_descriptor_need_a_reset() {
    let place = Place::new();
    let memory = Arc::new(Mutex::new(vec![0_u8; 0x10_0000]));
    place.client.dma_map_memory(0, MEMORY, memory, RIGHTS).unwrap();
    let [config, ..] = place.vectors();
    place.start(true);
    assert!(place.is_broken());
    assert!(config.wait(PATIENCE).unwrap().is_some(), "the driver is notified");
}

#[test]
fn buffers_in_memory_without_a_descriptor_are_reached() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    let memory = Arc::new(Mutex::new(vec![7_u8; 0x1000]));
    place.client.dma_map_memory(MEMORY, 0x1000, Arc::clone(&memory) as _, RIGHTS).unwrap();
    place.start(true);
    driver.offer_at(MEMORY, MEMORY + 0x100);
    place.notify();
    driver.wait_used();
    assert_eq!(memory.lock().unwrap()[0x100..0x108], [0, 0, 0, 0, 7, 7, 7, 7]);
}

#[test]
fn a_reset_by_the_client_starts_from_the_beginning() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    place.start(true);
    driver.offer();
    place.notify();
    driver.wait_used();
    place.client.reset().unwrap();
    assert_eq!(place.status(), 0);
    driver.forget();
    place.start(true);
    driver.offer();
    place.notify();
    driver.wait_used();
    assert_eq!(driver.answer(0), [0, 0]);
}
