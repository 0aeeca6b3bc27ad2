//! Threads of a device that own a part of its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use vfio_user::{
    Bench, Cx, Device, DmaError, PciDevice, ResetKind, Resumed, Virtual, Work, WorkCx, Worker,
    device_tests,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Adds words of a ring of 256 in guest memory.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ring {
    head: u64,
    tail: u64,
    sum: u64,
    #[serde(skip)]
    turns: Arc<AtomicUsize>,
    #[serde(skip)]
    failures: Arc<AtomicUsize>,
    /// Counts the states that were dropped.
    #[serde(skip)]
    dropped: Dropped,
}

#[derive(Debug, Default)]
struct Dropped(Option<Arc<AtomicUsize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.iter().for_each(|count| {
            count.fetch_add(1, SeqCst);
        });
    }
}

impl Work for Ring {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        self.turns.fetch_add(1, SeqCst);
        if self.head == self.tail {
            return false;
        }
        match cx.dma().read_obj::<u64>(8 * (self.head % 256)) {
            Ok(value) => self.sum += value,
            Err(error) => {
                let is_off = matches!(error, DmaError::NotBusMaster { .. });
                assert!(is_off || error.is_interruption(), "{error}");
                self.failures.fetch_add(1, SeqCst);
                return false;
            }
        }
        self.head += 1;
        cx.irq(0).raise();
        true
    }
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5eed)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Summer {
    #[reg(0x00, wo, write_with = Self::ring)]
    tail: Virtual<u32>,
    #[reg(0x04)]
    scratch: u32,
    ring: Worker<Ring>,
    #[migrate(skip)]
    polls: bool,
}

impl Device for Summer {
    type Event = ();

    fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
        self.run(cx);
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        let mut ring = self.ring.state();
        (ring.head, ring.tail, ring.sum) = (0, 0, 0);
    }
}

impl Summer {
    fn ring(&mut self, cx: &mut Cx<'_, Self>, tail: u32) {
        self.ring.state().tail = tail.into();
        self.run(cx);
    }

    fn run(&mut self, cx: &mut Cx<'_, Self>) {
        let run = if self.polls { self.ring.run_polling(cx) } else { self.ring.run(cx) };
        run.unwrap();
    }
}

device_tests!(Summer, Summer::default, volatile = ["ring"]);

fn summer() -> Bench<Summer> {
    let summer = Bench::new(Summer::default()).unwrap();
    summer.write_memory(0, [1_u64, 2, 3, 4].map(u64::to_le_bytes).as_flattened());
    summer
}

#[track_caller]
fn wait_until(mut is_done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < end, "in {PATIENCE:?}");
        std::thread::yield_now();
    }
}

#[track_caller]
fn wait_for(summer: &mut Bench<Summer>, head: u64) -> u64 {
    wait_until(|| summer.device().ring.state().head == head);
    summer.device().ring.state().sum
}

#[test]
fn it_works_when_it_is_rung_and_raises_interrupts_by_itself() {
    let mut summer = summer();
    summer.write(0, 0, 2_u32);
    assert_eq!(wait_for(&mut summer, 2), 3);
    assert!(summer.wait_irq(0, PATIENCE).is_ok());
    summer.write(0, 0, 4_u32);
    assert_eq!(wait_for(&mut summer, 4), 10);
}

#[test]
fn it_sleeps_while_there_is_nothing_to_do() {
    let mut summer = summer();
    summer.write(0, 0, 1_u32);
    wait_for(&mut summer, 1);
    let turns = Arc::clone(&summer.device().ring.state().turns);
    // Rings and looks at the state may have woken it.
    wait_until(|| {
        let before = turns.load(SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        before == turns.load(SeqCst)
    });
    let before = turns.load(SeqCst);
    summer.device().ring.wake();
    wait_until(|| turns.load(SeqCst) > before);
}

#[test]
fn it_can_be_woken_while_its_state_is_held() {
    let mut summer = summer();
    summer.write(0, 0, 1_u32);
    wait_for(&mut summer, 1);
    let mut ring = summer.device().ring.state();
    ring.tail = 2;
    summer.device().ring.wake();
    drop(ring);
    assert_eq!(wait_for(&mut summer, 2), 3);
}

#[test]
fn a_worker_that_has_panicked_cannot_run() {
    struct Panics;
    impl Work for Panics {
        fn turn(&mut self, _: &WorkCx) -> bool {
            panic!("a mistake of the author");
        }
    }
    #[derive(PciDevice)]
    #[pci(vendor = 0x1234, device = 0x5eed)]
    #[bar(0: mem32, size = 0x1000)]
    struct Broken {
        #[reg(0x00, write_with = Self::ring)]
        failed: u32,
        #[migrate(skip)]
        worker: Worker<Panics>,
    }
    impl Device for Broken {
        type Event = ();
    }
    impl Broken {
        fn ring(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
            self.failed = u32::from(self.worker.run(cx).is_err());
        }
    }
    let mut broken = Bench::new(Broken { failed: 0, worker: Worker::new(Panics) }).unwrap();
    wait_until(|| {
        broken.write(0, 0, 0_u32);
        broken.read::<u32>(0, 0) == 1
    });
}

#[test]
fn it_polls_without_a_ring_if_it_should() {
    let mut summer = Bench::new(Summer { polls: true, ..Summer::default() }).unwrap();
    summer.write_memory(0, &7_u64.to_le_bytes());
    summer.write(0, 0, 0_u32);
    summer.device().ring.state().tail = 1;
    assert_eq!(wait_for(&mut summer, 1), 7);
}

#[test]
fn it_reaches_nothing_after_its_session_until_it_runs_again() {
    let mut summer = summer();
    summer.write(0, 0, 1_u32);
    wait_for(&mut summer, 1);
    summer.reset();
    let turns = Arc::clone(&summer.device().ring.state().turns);
    let before = turns.load(SeqCst);
    summer.device().ring.state().tail = 4;
    summer.device().ring.wake();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(turns.load(SeqCst), before, "it belongs to the session that has ended");
    summer.write(0, 0, 4_u32);
    assert_eq!(wait_for(&mut summer, 4), 10);
}

#[test]
fn its_state_is_saved_and_replaced_and_runs_on_where_it_is_loaded() {
    let mut source = summer();
    source.write(0, 0, 2_u32);
    wait_for(&mut source, 2);
    source.device().ring.state().tail = 3;
    let state = source.save();
    let mut target = summer();
    let dropped = Arc::new(AtomicUsize::new(0));
    target.device().ring.state().dropped = Dropped(Some(Arc::clone(&dropped)));
    target.write(0, 0, 1_u32);
    wait_for(&mut target, 1);
    target.load(&state).unwrap();
    assert_eq!(wait_for(&mut target, 3), 6, "the work goes on");
    // The thread of the state before ends by itself.
    wait_until(|| dropped.load(SeqCst) == 1);
}

#[test]
fn a_worker_that_runs_ends_with_its_device() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut summer = Bench::new(Summer { polls: true, ..Summer::default() }).unwrap();
    summer.device().ring.state().dropped = Dropped(Some(Arc::clone(&dropped)));
    summer.write(0, 0, 0_u32);
    drop(summer);
    wait_until(|| dropped.load(SeqCst) == 1);
}
