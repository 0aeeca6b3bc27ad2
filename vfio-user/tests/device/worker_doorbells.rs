//! Doorbells whose eventfds wake a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use vfio_user::function::{BackgroundWork as _, Function as _};
use vfio_user::protocol::RegionIndex;
use vfio_user::{
    Bench, Cx, Device, EventFd, PciDevice, Resumed, Virtual, Work, WorkCx, Worker, device_tests,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Counts its turns.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Turns {
    #[serde(skip)]
    count: Arc<AtomicUsize>,
}

impl Work for Turns {
    fn turn(&mut self, _: &WorkCx) -> bool {
        self.count.fetch_add(1, SeqCst);
        false
    }
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5eee)]
#[bar(0: mem32, size = 0x1000)]
struct Tower {
    /// Bits say which workers run, and have taken the doorbell of their number.
    #[reg(0x00, on_write = Self::started)]
    run: u32,
    #[reg(0x08, wo, kick = Self::kicked)]
    bells: [Virtual<u32>; 2],
    kicks: u32,
    first: Worker<Turns>,
    second: Worker<Turns>,
}

impl Device for Tower {
    type Event = ();

    fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
        self.started(cx, 0, self.run);
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        self.kicks = 0;
    }
}

impl Tower {
    fn started(&mut self, cx: &mut Cx<'_, Self>, _: u32, run: u32) {
        for (bit, worker) in [&mut self.first, &mut self.second].into_iter().enumerate() {
            if run & 1 << bit != 0 {
                worker.run(cx).unwrap();
                worker.take_doorbell(cx, 0, 8).unwrap();
            }
        }
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: usize) {
        self.kicks += 1;
    }
}

device_tests!(Tower, Tower::default, volatile = ["first", "second"]);

/// A device and the eventfd of its first doorbell.
fn bells() -> (Bench<Tower>, EventFd) {
    let mut bench = Bench::new(Tower::default()).unwrap();
    let bell = bell(&mut bench);
    (bench, bell)
}

fn bell(bench: &mut Bench<Tower>) -> EventFd {
    EventFd::from_fd(bench.function_mut().doorbell_fd(RegionIndex::Bar0, 0).unwrap()).unwrap()
}

/// What the device's thread does when it is woken. Returns how often it has been kicked.
fn kicks(bench: &mut Bench<Tower>) -> u32 {
    bench.function_mut().catch_up();
    bench.device().kicks
}

/// Returns the count of turns of a worker that runs, after its first one.
#[track_caller]
fn turns(worker: &Worker<Turns>) -> Arc<AtomicUsize> {
    let turns = Arc::clone(&worker.state().count);
    wait_for_more(&turns, 0);
    turns
}

/// Waits until the thread sleeps, as far as can be seen, and returns its turns.
#[track_caller]
fn settled(turns: &AtomicUsize) -> usize {
    let end = Instant::now() + PATIENCE;
    loop {
        let before = turns.load(SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        if before == turns.load(SeqCst) {
            return before;
        }
        assert!(Instant::now() < end, "the worker does not sleep");
    }
}

#[track_caller]
fn wait_for_more(turns: &AtomicUsize, before: usize) {
    let end = Instant::now() + PATIENCE;
    while turns.load(SeqCst) == before {
        assert!(Instant::now() < end, "the worker is not woken");
        std::thread::yield_now();
    }
}

/// Whether signals do not wake a worker. A thread that is late with earlier work is given time.
fn is_left_alone(turns: &AtomicUsize, bell: &EventFd) -> bool {
    (0..10).any(|_| {
        let before = settled(turns);
        bell.signal();
        settled(turns) == before
    })
}

#[test]
fn a_signal_wakes_the_worker_and_not_the_device() {
    let (mut bench, bell) = bells();
    bench.write(0, 0, 1_u32);
    let turns = turns(&bench.device().first);
    for _ in 0..20 {
        let before = settled(&turns);
        bell.signal();
        wait_for_more(&turns, before);
    }
    assert_eq!(kicks(&mut bench), 0);
    assert!(bench.function().wake().is_none(), "the device's thread waits for nothing");
    bench.write(0, 8, 1_u32);
    assert_eq!(kicks(&mut bench), 1, "a message runs the hook");
}

#[test]
fn the_order_of_requests_and_rings_does_not_matter() {
    // The worker has the doorbell before a client requests its eventfd.
    let mut bench = Bench::new(Tower::default()).unwrap();
    bench.write(0, 0, 1_u32);
    let first = turns(&bench.device().first);
    let bell = bell(&mut bench);
    let before = settled(&first);
    bell.signal();
    wait_for_more(&first, before);
    // A ring that no thread has seen when the other worker takes the doorbell.
    bench.write(0, 0, 2_u32);
    let second = turns(&bench.device().second);
    let before = settled(&second);
    bell.signal();
    wait_for_more(&second, before);
    assert!(is_left_alone(&first, &bell), "the second one has it");
    assert_eq!(kicks(&mut bench), 0);
}

#[test]
fn a_doorbell_returns_to_the_device_when_the_session_ends() {
    let (mut bench, bell) = bells();
    bench.write(0, 0, 1_u32);
    let turns = turns(&bench.device().first);
    bell.signal();
    bench.reset();
    assert_eq!(kicks(&mut bench), 0, "it was rung before");
    assert!(is_left_alone(&turns, &bell));
    assert_eq!(kicks(&mut bench), 1);
    bench.write(0, 0, 1_u32);
    let before = settled(&turns);
    bell.signal();
    wait_for_more(&turns, before);
    assert_eq!(kicks(&mut bench), 1);
}

#[test]
fn the_worker_of_a_loaded_state_takes_the_doorbell_of_the_one_before() {
    let (mut bench, bell) = bells();
    bench.write(0, 0, 1_u32);
    let state = bench.save();
    let replaced = turns(&bench.device().first);
    bench.load(&state).unwrap();
    let turns = turns(&bench.device().first);
    assert!(!Arc::ptr_eq(&turns, &replaced));
    let before = settled(&turns);
    bell.signal();
    wait_for_more(&turns, before);
    assert_eq!(kicks(&mut bench), 0);
}

#[test]
fn a_client_that_has_left_wakes_nothing() {
    let (mut bench, bell) = bells();
    bench.write(0, 0, 1_u32);
    let turns = turns(&bench.device().first);
    bench.function_mut().disconnected();
    assert!(is_left_alone(&turns, &bell));
    assert_eq!(kicks(&mut bench), 0);
}

#[test]
fn a_place_without_a_doorbell_is_an_error() {
    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0x5eef)]
    #[bar(0: mem32, size = 0x1000)]
    struct Plain {
        #[reg(0x00)]
        scratch: u32,
        #[migrate(skip)]
        error: String,
    }
    impl Device for Plain {
        type Event = ();

        fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
            let taken = Worker::new(Turns::default()).take_doorbell(cx, 0, 0);
            self.error = taken.unwrap_err().to_string();
            Ok(())
        }
    }
    let bench = Bench::new(Plain::default()).unwrap();
    assert_eq!(bench.device().error, "BAR 0 has no doorbell at 0x0");
}
