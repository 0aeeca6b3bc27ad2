//! A bench does what a server does, in its order.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::migration::StateError;
use vfio_user::pci::spec::cfg;
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Result, Resumed, Timer, Virtual};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Quiesce,
    Event(u32),
    Reset(ResetKind),
    Saving,
    Loaded,
    Resume(Resumed),
}

/// Counts milliseconds, and logs what is called.
#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Card {
    #[reg(0x00, w1c)]
    #[intr(status, test = test)]
    status: u32,
    #[reg(0x04, wo)]
    test: Virtual<u32>,
    #[reg(0x08, ro, read_with = Self::elapsed)]
    elapsed: Virtual<u64>,
    #[reg(0x10, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x14)]
    scratch: u32,
    #[timer(Self::expired)]
    timer: Timer,
    /// Milliseconds before `since`.
    before: u64,
    #[migrate(skip)]
    since: Instant,
    #[migrate(skip)]
    calls: Vec<Call>,
}

impl Default for Card {
    fn default() -> Self {
        Card {
            status: 0,
            test: Virtual::default(),
            elapsed: Virtual::default(),
            raise: Virtual::default(),
            scratch: 0,
            timer: Timer::default(),
            before: 0,
            // Long ago, so that a device that is not started shows.
            since: Instant::now().checked_sub(Duration::from_secs(5)).unwrap(),
            calls: Vec::new(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

impl Card {
    fn elapsed(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        self.before + millis(cx.now() - self.since)
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.irq(0).raise();
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn expired(&mut self, cx: &mut Cx<'_, Self>) {
        cx.irq(0).raise();
    }
}

impl Device for Card {
    type Event = u32;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.since = cx.now();
        self.timer.arm(cx, Duration::from_secs(10));
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, event: u32) {
        self.calls.push(Call::Event(event));
    }

    fn quiesce(&mut self, cx: &mut Cx<'_, Self>) {
        self.calls.push(Call::Quiesce);
        cx.post(100);
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        self.calls.push(Call::Reset(kind));
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        self.calls.push(Call::Saving);
        self.before += millis(cx.now() - self.since);
        self.since = cx.now();
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.calls.push(Call::Loaded);
        self.since = cx.now();
        if self.scratch == 0xbad { Err(vfio_user::Error::device("refused")) } else { Ok(()) }
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        self.calls.push(Call::Resume(resumed));
    }
}

fn card() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

const TEST: u64 = 0x04;
const ELAPSED: u64 = 0x08;
const RAISE: u64 = 0x10;
const SCRATCH: u64 = 0x14;

#[test]
fn a_reset_comes_after_the_events_that_were_there() {
    for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState] {
        let mut bench = card();
        bench.post(1);
        bench.reset_by(kind);
        let expected = [Call::Quiesce, Call::Event(1), Call::Event(100), Call::Reset(kind)];
        assert_eq!(bench.device().calls, expected);
        bench.post(2);
        bench.handle_events();
        assert_eq!(bench.device().calls.last(), Some(&Call::Event(2)), "it runs");
    }
}

#[test]
fn a_save_stops_the_device_and_goes_on_with_it() {
    let mut bench = card();
    bench.post(1);
    bench.save();
    let continued = Call::Resume(Resumed::Continued);
    let expected = [Call::Quiesce, Call::Event(1), Call::Event(100), Call::Saving, continued];
    assert_eq!(bench.device().calls, expected);
    bench.write(0, TEST, 1_u32);
    assert_eq!(bench.take_irq(0), 1);
}

#[test]
fn a_load_stops_the_device_and_goes_on_with_what_was_loaded() {
    let state = card().save();
    let mut bench = card();
    bench.load(&state).unwrap();
    let loaded = Call::Resume(Resumed::Loaded);
    assert_eq!(bench.device().calls, [Call::Quiesce, Call::Event(100), Call::Loaded, loaded]);
    let mut refused = card();
    refused.write(0, SCRATCH, 0xbad_u32);
    let state = refused.save();
    let mut bench = card();
    bench.load(&state).unwrap_err();
    assert_eq!(bench.device().calls.last(), Some(&Call::Resume(Resumed::Continued)));
    bench.write(0, TEST, 1_u32);
    assert_eq!(bench.take_irq(0), 1, "it runs as before");
}

/// By a level, by a pulse, and by neither.
#[test]
fn the_first_interrupt_after_a_load_is_what_was_asserted() {
    for (write, expected) in [(Some(TEST), 1), (Some(RAISE), 1), (None, 0)] {
        let mut source = card();
        if let Some(register) = write {
            source.write(0, register, 1_u32);
        }
        let state = source.save();
        let mut target = card();
        target.load(&state).unwrap();
        let status = target.read_config::<u16>(cfg::STATUS as u64) & 1 << 3;
        assert_eq!((u64::from(status >> 3), target.take_irq(0)), (expected, expected));
    }
}

#[test]
fn the_clock_of_a_bench_is_its_own_from_the_start_and_counters_migrate() {
    let mut bench = card();
    assert_eq!(bench.read::<u64>(0, ELAPSED), 0, "`start` has seen the same clock");
    bench.advance(Duration::from_millis(9_999));
    assert_eq!((bench.read::<u64>(0, ELAPSED), bench.take_irq(0)), (9_999, 0));
    bench.advance(Duration::from_millis(1));
    assert_eq!((bench.read::<u64>(0, ELAPSED), bench.take_irq(0)), (10_000, 1));
    let state = bench.save();
    assert_eq!(bench.read::<u64>(0, ELAPSED), 10_000, "it goes on");
    let mut target = card();
    target.advance(Duration::from_millis(77));
    target.load(&state).unwrap();
    assert_eq!(target.read::<u64>(0, ELAPSED), 10_000);
    target.advance(Duration::from_millis(5));
    assert_eq!(target.read::<u64>(0, ELAPSED), 10_005);
}

#[test]
fn a_bench_survives_times_that_no_clock_has() {
    let mut bench = Bench::new(Card { before: 1, ..Card::default() }).unwrap();
    for time in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::MAX / 2] {
        let before = bench.read::<u64>(0, ELAPSED);
        bench.advance(time);
        let years = (bench.read::<u64>(0, ELAPSED) - before) / (365 * 24 * 3600 * 1000);
        assert_eq!(years, 100, "what one call lets pass at most");
    }
    assert_eq!(bench.take_irq(0), 1, "the timer has expired");
    bench.advance(Duration::from_millis(1));
    let state = bench.save();
    card().load(&state).unwrap();
}

/// Raises from a thread after a while, by an event.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[irq(msix = 2)]
struct Late {
    is_notified: bool,
}

impl Device for Late {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let (remote, irq) = (cx.remote(), cx.irq(1));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            irq.raise();
            thread::sleep(Duration::from_millis(500));
            // The bench may be gone.
            let _ = remote.post(());
        });
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, (): ()) {
        // By one more event, which wakes nothing.
        if std::mem::replace(&mut self.is_notified, true) {
            cx.irq(0).raise();
        } else {
            cx.post(());
        }
    }
}

/// How often this thread has slept.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
    line.unwrap().split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn a_wait_for_an_interrupt_sleeps_until_something_happens() {
    let mut bench = Bench::new(Late::default()).unwrap();
    let before = sleeps();
    assert_eq!(bench.wait_irq(1, Duration::from_secs(60)).unwrap(), 1);
    assert_eq!(bench.wait_irq(0, Duration::from_secs(60)).unwrap(), 1);
    let slept = sleeps() - before;
    assert!(slept < 20, "in a second it has slept {slept} times");
    let error = bench.wait_irq(0, Duration::from_millis(30)).unwrap_err();
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[test]
fn a_wait_for_an_interrupt_may_be_as_long_as_any_time() {
    let mut bench = card();
    bench.write(0, TEST, 1_u32);
    assert_eq!(bench.wait_irq(0, Duration::MAX).unwrap(), 1);
}

/// A thread that completes work in memory that it holds.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Worker {
    #[reg(0x00, wo, write_with = Self::start)]
    start: Virtual<u32>,
    #[reg(0x04, ro, volatile)]
    done: u32,
    /// Opened by the test.
    #[migrate(skip)]
    gate: Option<Receiver<()>>,
}

impl Device for Worker {
    type Event = u32;

    fn event(&mut self, _: &mut Cx<'_, Self>, done: u32) {
        self.done += done;
    }
}

impl Worker {
    fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let (guard, remote) = (cx.dma().map(0x1000, 16).unwrap(), cx.remote());
        let gate = self.gate.take().unwrap();
        thread::spawn(move || {
            gate.recv().ok();
            remote.post(1).unwrap();
            drop(guard);
        });
    }
}

#[test]
fn saving_and_loading_wait_for_memory_that_is_held() {
    for saves in [true, false] {
        let (open, gate) = mpsc::channel();
        let mut bench = Bench::new(Worker { gate: Some(gate), ..Worker::default() }).unwrap();
        let before = Bench::new(Worker::default()).unwrap().save();
        bench.write(0, 0x00, 1_u32);
        let opener = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            open.send(()).unwrap();
        });
        if saves {
            let state = bench.save();
            let mut other = Bench::new(Worker::default()).unwrap();
            other.load(&state).unwrap();
            assert_eq!(other.read::<u32>(0, 0x04), 1, "all of the work is in the state");
        } else {
            bench.load(&before).unwrap();
            assert_eq!(bench.read::<u32>(0, 0x04), 0, "nothing of it happens afterwards");
        }
        opener.join().unwrap();
    }
}

#[test]
fn memory_that_is_never_released_keeps_a_bench_from_stopping() {
    let (_open, gate) = mpsc::channel();
    let mut bench = Bench::new(Worker { gate: Some(gate), ..Worker::default() }).unwrap();
    let state = Bench::new(Worker::default()).unwrap().save();
    bench.write(0, 0x00, 1_u32);
    let refused = bench.load(&state);
    assert!(matches!(refused, Err(StateError::MemoryHeld)), "{refused:?}");
    assert_eq!(bench.read::<u32>(0, 0x04), 0, "it runs on");
}
