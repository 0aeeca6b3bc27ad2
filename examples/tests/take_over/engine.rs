//! The DMA engine is handed over while it copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;
use vfio_user_tests::generations::Generations;

use crate::driver::{Driver, ENTRIES, HEAD};

pub(crate) const ENGINE: &str = env!("CARGO_BIN_EXE_dma-engine");
const UPGRADES: u32 = 100;

/// Reads a register again and again, and returns the longest times, in the end.
fn poll(client: &Client, is_over: &AtomicBool, longest: &AtomicU64) {
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.region(RegionIndex::Bar0).read::<u32>(ENTRIES).unwrap();
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap();
        longest.fetch_max(micros, Ordering::Relaxed);
    }
}

/// Ends the threads of a test, also if it fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_engine_that_copies_is_handed_over_100_times() {
    let mut programs = Generations::start(ENGINE, &[]);
    let mut driver = Driver::attach(&programs.socket());
    let (is_over, longest) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut pauses = Vec::new();
    let client = Arc::clone(&driver.client);
    thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| poll(&client, &is_over, &longest));
        let load = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                driver.round();
            }
        });
        for _ in 0..UPGRADES {
            longest.store(0, Ordering::Relaxed);
            programs.upgrade();
            pauses.push(longest.load(Ordering::Relaxed));
            assert!(!load.is_finished());
        }
    });
    pauses.sort_unstable();
    let at = |percent: usize| pauses[(pauses.len() - 1) * percent / 100];
    println!(
        "{} copies; longest read of a register, in us: {} at least, {} median, {} at most",
        driver.submitted,
        at(0),
        at(50),
        at(100)
    );
    drop(client);
    driver.finish();
    // Others reach the program that listens now.
    drop(Driver::attach(&programs.socket()));
}

#[test]
fn programs_that_are_killed_while_they_take_over_leave_the_engine_where_it_is() {
    let mut programs = Generations::start(ENGINE, &[]);
    let mut driver = Driver::attach(&programs.socket());
    let (mut before, mut after) = (0, 0);
    for delay in (0..60).map(Duration::from_millis) {
        let mut successor = programs.spawn();
        let start = Instant::now();
        while start.elapsed() < delay {
            driver.round();
        }
        successor.kill().unwrap();
        successor.wait().unwrap();
        if driver.client.region(RegionIndex::Bar0).read::<u32>(HEAD).is_ok() {
            driver.round();
            before += 1;
        } else {
            // It had taken over, so the client was its own.
            programs.expect_end();
            programs = Generations::start(ENGINE, &[]);
            driver = Driver::attach(&programs.socket());
            after += 1;
        }
    }
    println!("{before} programs were killed before they had taken over, {after} after that");
    programs.upgrade();
    driver.round();
    driver.finish();
    assert!(before > 0);
}
