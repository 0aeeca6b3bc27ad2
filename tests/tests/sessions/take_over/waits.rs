//! A device that is busy is handed over once it is not, within two seconds.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::{ServerEnd, TakeOverError};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command};

use super::{Card, HELD, HOLD, SCRATCH, Upgrades, serve};

const CONFIG: u32 = 7;
const SIZE: u64 = 0x1000;
/// Reading and writing.
const RIGHTS: u32 = 3;

/// A client that waits for an answer: the card holds the memory that it unmaps, for a time.
fn busy(upgrades: &Upgrades, time: Duration) -> (RawClient, u16) {
    let mut client = RawClient::connect(&upgrades.socket());
    client.negotiate();
    client.write(CONFIG, 4, &6_u16.to_le_bytes());
    client.write(0, SCRATCH, &7_u32.to_le_bytes());
    let file = files::memory(SIZE);
    client.dma_map(RIGHTS, 0, HELD, SIZE, Some(file.as_fd())).ok();
    client.write(0, HOLD, &u32::try_from(time.as_millis()).unwrap().to_le_bytes());
    let id = client.id();
    let unmap = wire::message(id, command::DMA_UNMAP, 0, &wire::dma_unmap(0, HELD, SIZE));
    client.send(&unmap, &[]);
    (client, id)
}

#[test]
fn a_device_whose_client_waits_for_a_while_is_handed_over_after_the_answer() {
    let mut upgrades = Upgrades::start();
    let (mut client, id) = busy(&upgrades, Duration::from_millis(700));
    upgrades.upgrade();
    client.answer_to(id, command::DMA_UNMAP).ok();
    assert_eq!(client.number(0, SCRATCH, 4), 7);
    upgrades.end();
}

#[test]
fn a_device_whose_client_waits_for_more_than_two_seconds_is_not_handed_over() {
    let mut upgrades = Upgrades::start();
    let (mut client, id) = busy(&upgrades, Duration::from_millis(3500));
    let start = Instant::now();
    let error = upgrades.fail::<Card>();
    let is_it = |reason: &str| {
        reason.contains("device `card`") && reason.contains("memory that its client has unmapped")
    };
    assert!(matches!(&error, TakeOverError::Refused(reason) if is_it(reason)), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(2));
    client.answer_to(id, command::DMA_UNMAP).ok();
    assert_eq!(client.number(0, SCRATCH, 4), 7);
    upgrades.upgrade();
    assert_eq!(client.number(0, SCRATCH, 4), 7);
    upgrades.end();
}

#[test]
fn programs_that_start_together_take_over_one_after_the_other() {
    let upgrades = Upgrades::start();
    let (mut client, id) = busy(&upgrades, Duration::from_millis(300));
    let Upgrades { folder, current } = upgrades;
    let mut programs = vec![current, serve::<Card>(folder.path()), serve::<Card>(folder.path())];
    client.answer_to(id, command::DMA_UNMAP).ok();
    let deadline = Instant::now() + PATIENCE;
    while programs.len() > 1 {
        assert!(Instant::now() < deadline, "{} programs run", programs.len());
        thread::sleep(Duration::from_millis(1));
        for ended in programs.extract_if(.., |program| program.thread.is_finished()) {
            assert_eq!(ended.thread.join().unwrap().unwrap(), ServerEnd::HandedOver);
        }
    }
    assert_eq!(client.number(0, SCRATCH, 4), 7);
    let current = programs.remove(0);
    Upgrades { folder, current }.end();
}
