//! Migration between two servers, with requests under way.

use vfio_user::protocol::MigrationState;

use crate::driver::{BAR0, Driver, Place, SIZE};

/// Moves a device whose memory both places have.
fn migrate(from: &Place, to: &Place) {
    from.client.set_migration_state(MigrationState::StopCopy).unwrap();
    let mut stream = Vec::new();
    from.client.save(&mut stream).unwrap();
    to.client.set_migration_state(MigrationState::Resuming).unwrap();
    to.client.write_migration_data(&stream).unwrap();
    to.client.set_migration_state(MigrationState::Running).unwrap();
}

#[test]
fn requests_under_way_are_completed_once() {
    let mut driver = Driver::new();
    let mut place = Place::with_memory(&driver.memory);
    place.start(true);
    let mut count = 0;
    for round in 0..20_u16 {
        let burst = 1 + round % (SIZE / 2);
        (0..burst).for_each(|_| driver.offer());
        place.notify();
        let next = Place::with_memory(&driver.memory);
        // Nothing is notified there: what is left goes on by itself.
        migrate(&place, &next);
        place = next;
        driver.wait_used();
        for n in count..count + burst {
            assert_eq!(driver.answer(n), [u32::from(n); 2]);
        }
        count += burst;
        assert_eq!(place.status(), 0x0f);
    }
}

#[test]
fn a_cancelled_migration_goes_on_here() {
    let mut driver = Driver::new();
    let place = Place::with_memory(&driver.memory);
    place.start(true);
    for n in 0..200 {
        driver.offer();
        place.notify();
        place.client.set_migration_state(MigrationState::StopCopy).unwrap();
        place.client.save(&mut Vec::new()).unwrap();
        place.client.set_migration_state(MigrationState::Running).unwrap();
        driver.wait_used();
        assert_eq!(driver.answer(n), [u32::from(n); 2]);
    }
}

/// The thread of the queue waits for the eventfd itself, on both sides.
#[test]
fn eventfds_reach_the_queue_that_was_loaded() {
    let mut driver = Driver::new();
    let mut place = Place::with_memory(&driver.memory);
    let mut bells = place.client.ioeventfds(BAR0).unwrap();
    place.start(true);
    for n in 0..40 {
        // Rung before the device stops, or in the other place.
        let is_early = n % 2 == 0;
        driver.offer();
        if is_early {
            bells[0].eventfd.signal();
        }
        let next = Place::with_memory(&driver.memory);
        bells = next.client.ioeventfds(BAR0).unwrap();
        migrate(&place, &next);
        place = next;
        if !is_early {
            bells[0].eventfd.signal();
        }
        driver.wait_used();
        driver.offer();
        bells[0].eventfd.signal();
        driver.wait_used();
        assert_eq!(driver.answer(2 * n + 1), [u32::from(2 * n + 1); 2]);
    }
}
