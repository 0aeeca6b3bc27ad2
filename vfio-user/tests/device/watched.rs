//! Watched registers: in shared memory, written by guests without a message.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use vfio_user::function::{BackgroundWork as _, Function as _, Migrate as _, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, ResetKind, Virtual, device_tests};

#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, watch, on_write = moved)]
    tail: u32,
    #[reg(0x08, watch)]
    head: u64,
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5eed)]
#[bar(0: mem32, size = 0x4000, shared(0x1000..0x3000))]
struct Engine {
    #[reg(0x00, on_write = Self::published)]
    publish: u32,
    #[reg(0x1000, watch, reset = 0xff, write_with = Self::ring)]
    bells: [Virtual<u8>; 4],
    #[reg(0x1008, watch, reset = 5)]
    limit: u16,
    #[reg(0x100c, watch, mask = 0xff, reset = 1, sticky)]
    narrow: u32,
    #[reg(0x1010, watch, singlepulse, on_write = Self::commanded)]
    command: u32,
    #[reg(0x1014, watch, lock = publish)]
    locked: u32,
    #[block(0x2000, stride = 0x800)]
    queues: [Queue; 2],
    #[migrate(skip)]
    calls: Vec<(usize, u64)>,
}

impl Device for Engine {
    type Event = u16;

    fn event(&mut self, _: &mut Cx<'_, Self>, limit: u16) {
        self.limit = limit;
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.calls.clear();
    }
}

impl Engine {
    fn published(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
        self.queues[1].head = new.into();
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u8) {
        self.calls.push((index, value.into()));
    }

    fn commanded(&mut self, _: &mut Cx<'_, Self>, _: u32, new: u32) {
        self.calls.push((1000, new.into()));
    }
}

impl QueueHost for Engine {
    fn moved(&mut self, _: &mut Cx<'_, Self>, index: usize, old: u32, new: u32) {
        self.calls.push((100 + index, new.wrapping_sub(old).into()));
    }
}

device_tests!(Engine, Engine::default);

fn bench() -> Bench<Engine> {
    Bench::new(Engine::default()).unwrap()
}

#[test]
fn a_change_runs_the_hooks_once_it_is_seen() {
    let mut bench = bench();
    bench.shared(0).store(0x1002, 7_u8).unwrap();
    bench.shared(0).store(0x2800, 3_u32).unwrap();
    assert!(bench.device().calls.is_empty(), "the page has not been polled yet");
    bench.handle_events();
    assert_eq!(bench.device().calls, [(2, 7), (101, 3)]);
    bench.shared(0).store(0x2800, 4_u32).unwrap();
    bench.shared(0).store(0x2800, 9_u32).unwrap();
    bench.shared(0).store(0x1002, 7_u8).unwrap();
    bench.handle_events();
    assert_eq!(bench.device().calls[2..], [(2, 7), (101, 6)], "nothing between two looks is seen");
}

#[test]
fn a_message_is_seen_at_once_and_what_was_stored_before_it() {
    let mut bench = bench();
    bench.write(0, 0x1000, 1_u8);
    assert_eq!(bench.device().calls, [(0, 1)]);
    bench.shared(0).store(0x1001, 2_u8).unwrap();
    bench.function_mut().catch_up();
    bench.write(0, 0x00, 1_u32);
    assert_eq!(bench.device().calls, [(0, 1), (1, 2)]);
    bench.try_write(RegionIndex::Bar0, 0x0ffc, &[0, 0, 0, 0, 9, 9]).unwrap();
    assert_eq!(bench.device().calls[2..], [(0, 9), (1, 9)]);
}

#[test]
fn guests_see_what_the_device_makes_of_a_register() {
    let mut bench = bench();
    let load = |bench: &Bench<Engine>, at| bench.shared(0).load::<u32>(at).unwrap();
    assert_eq!((load(&bench, 0x1008), load(&bench, 0x100c)), (5, 1), "reset values");
    bench.shared(0).store(0x100c, 0x1234_u32).unwrap();
    bench.shared(0).store(0x1010, 6_u32).unwrap();
    bench.handle_events();
    assert_eq!(load(&bench, 0x100c), 0x34, "implemented bits");
    assert_eq!((load(&bench, 0x1010), &bench.device().calls[..]), (0, &[(1000, 6)][..]));
    bench.post(8);
    bench.handle_events();
    assert_eq!(load(&bench, 0x1008), 8, "an event");
    bench.write(0, 0x00, 77_u32);
    assert_eq!(load(&bench, 0x2808), 77, "another register's hook");
    bench.shared(0).store(0x1014, 1_u32).unwrap();
    bench.handle_events();
    assert_eq!((load(&bench, 0x1014), bench.device().locked), (0, 0), "it is locked");
}

#[test]
fn a_reset_shows_reset_values_and_runs_no_hook() {
    let mut bench = bench();
    for (at, value) in [(0x1000, 1_u8), (0x1008, 2), (0x100c, 3), (0x2000, 4)] {
        bench.shared(0).store(at, value).unwrap();
    }
    bench.handle_events();
    bench.reset();
    bench.handle_events();
    assert!(bench.device().calls.is_empty());
    let loaded = [0x1000, 0x1008, 0x100c, 0x2000].map(|at| bench.shared(0).load::<u8>(at).unwrap());
    assert_eq!(loaded, [0xff, 5, 3, 0]);
}

#[test]
fn a_device_looks_by_itself_while_a_client_is_there_and_it_runs() {
    let mut bench = bench();
    let function = bench.function_mut();
    function.shared(0).store(0x1000, 1_u8).unwrap();
    assert!(function.next_poll().is_none(), "no client can write");
    function.connected();
    assert!(function.next_poll().is_some());
    assert!(function.poll() && function.poll(), "until the work is done");
    function.work();
    assert!(!function.poll());
    function.shared(0).store(0x2808, 1_u8).unwrap();
    assert!(function.poll());
    function.stop();
    function.shared(0).store(0x1000, 2_u8).unwrap();
    assert!(!function.poll() && function.next_poll().is_none());
    function.resume();
    assert!(function.poll() && function.next_poll().is_some());
    function.disconnected();
    assert!(function.next_poll().is_none());
}

#[test]
fn looks_become_rarer_while_nothing_changes() {
    let mut bench = bench();
    let function = bench.function_mut();
    function.connected();
    let pause = |function: &mut PciFunction<Engine>| {
        let before = Instant::now();
        assert!(!function.poll());
        function.next_poll().unwrap().saturating_duration_since(before)
    };
    std::thread::sleep(Duration::from_millis(40));
    assert!(pause(function) >= Duration::from_micros(200));
    // Where the thread is interrupted, the quiet time has begun.
    let more_may_come = |value: u8| {
        function.shared(0).store(0x1000, value).unwrap();
        function.work();
        function.next_poll().unwrap() <= Instant::now()
    };
    assert!((1..=u8::MAX).any(more_may_come));
}

proptest! {
    /// Whatever guest and device do to a register that stores, both see the same in the end.
    #[test]
    fn memory_and_field_follow_each_other(
        script in prop::collection::vec((any::<bool>(), any::<u16>()), 0..20),
    ) {
        let mut bench = bench();
        let mut expected = 5;
        for (by_guest, value) in script {
            if by_guest {
                bench.shared(0).store(0x1008, value).unwrap();
            } else {
                bench.post(value);
            }
            bench.handle_events();
            expected = value;
            prop_assert_eq!(bench.device().limit, expected);
            prop_assert_eq!(bench.shared(0).load::<u16>(0x1008), Ok(expected));
        }
        prop_assert_eq!(bench.read::<u16>(0, 0x1008), expected);
    }
}

#[test]
fn what_has_been_seen_stays_seen_and_what_has_not_is_seen_where_the_state_is_loaded() {
    let mut source = bench();
    source.shared(0).store(0x1000, 7_u8).unwrap();
    source.handle_events();
    source.shared(0).store(0x1002, 9_u8).unwrap();
    let state = source.function().save().unwrap();
    assert_eq!(source.device().calls, [(0, 7)]);

    let mut target = bench();
    target.shared(0).store(0x1003, 1_u8).unwrap();
    target.handle_events();
    assert!(target.load(&state[..state.len() - 1]).is_err());
    target.handle_events();
    assert_eq!(target.device().calls, [(3, 1)], "what was refused has not been seen");
    target.load(&state).unwrap();
    target.handle_events();
    assert_eq!(target.device().calls, [(3, 1), (2, 9)]);
    source.handle_events();
    assert_eq!(source.device().calls, [(0, 7), (2, 9)], "saving changes nothing");
}

/// Doorbells of several widths, alone, in an array and in blocks.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xd00b)]
#[bar(2: mem64, size = 0x4000, shared(0x1000..0x4000))]
#[capability(express(flr))]
struct Doorbells {
    #[reg(0x0000)]
    plain: u32,
    #[reg(0x1000, watch, reset = 0xffff, write_with = Self::alone)]
    alone: Virtual<u16>,
    #[reg(0x1008, watch, reset = 0xdead_beef, stride = 0x10, write_with = Self::in_array)]
    array: [Virtual<u32>; 3],
    #[block(0x2000, stride = 0x1000)]
    blocks: [Bells; 2],
    /// A command that a hook clears.
    #[reg(0x1100, watch, write_with = Self::command)]
    command: u32,
    /// A command that clears itself.
    #[reg(0x1108, watch, singlepulse, on_write = Self::pulse)]
    pulse: u64,
    /// Where and by what.
    #[migrate(skip)]
    rung: Vec<(u64, u64)>,
    /// What a guest stores while the next hook runs.
    #[migrate(skip)]
    again: Option<(u64, u8)>,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = BellsHost)]
struct Bells {
    #[reg(0x00, watch, reset = 0xffff_ffff_ffff_ffff, write_with = bell)]
    bell: Virtual<u64>,
    #[reg(0x08, watch, reset = 0xee, write_with = small)]
    small: [Virtual<u8>; 2],
}

impl Device for Doorbells {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        Ok(cx.shared(2).fill(0x1000..0x4000, 0x11)?)
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        cx.shared(2).clear().unwrap();
    }
}

impl Doorbells {
    /// Where each of them lies, and a value that it does not take.
    const ALL: [(u64, u64); 9] = [
        (0x1000, 0xffff),
        (0x1008, 0xdead_beef),
        (0x1018, 0xdead_beef),
        (0x1028, 0xdead_beef),
        (0x2000, u64::MAX),
        (0x2008, 0xee),
        (0x2009, 0xee),
        (0x3000, u64::MAX),
        (0x3009, 0xee),
    ];

    fn note(&mut self, cx: &Cx<'_, Self>, at: u64, value: u64) {
        self.rung.push((at, value));
        if let Some((at, value)) = self.again.take() {
            cx.shared(2).store(at, value).unwrap();
        }
    }

    fn alone(&mut self, cx: &mut Cx<'_, Self>, value: u16) {
        self.note(cx, 0x1000, value.into());
    }

    fn in_array(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.note(cx, 0x1008 + 0x10 * index as u64, value.into());
    }

    fn command(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.note(cx, 0x1100, value.into());
    }

    fn pulse(&mut self, cx: &mut Cx<'_, Self>, _: u64, new: u64) {
        self.note(cx, 0x1108, new);
    }
}

impl BellsHost for Doorbells {
    fn bell(&mut self, cx: &mut Cx<'_, Self>, block: usize, value: u64) {
        self.note(cx, 0x2000 + 0x1000 * block as u64, value);
    }

    fn small(&mut self, cx: &mut Cx<'_, Self>, block: usize, index: usize, value: u8) {
        self.note(cx, 0x2008 + 0x1000 * block as u64 + index as u64, value.into());
    }
}

mod doorbells {
    use super::*;

    device_tests!(Doorbells, Doorbells::default);
}

fn doorbells() -> Bench<Doorbells> {
    Bench::new(Doorbells::default()).unwrap()
}

/// What is rung by a byte that a guest stores.
fn rung_by(bench: &mut Bench<Doorbells>, at: u64, value: u8) -> Vec<u64> {
    let before = bench.device().rung.len();
    bench.shared(2).store(at, value).unwrap();
    bench.handle_events();
    let rung = bench.device().rung[before..].iter();
    rung.inspect(|(rung, _)| assert_eq!(*rung, at)).map(|(_, value)| value & 0xff).collect()
}

#[test]
fn a_doorbell_takes_the_same_value_again_and_again() {
    let mut bench = doorbells();
    for (at, idle) in Doorbells::ALL {
        for value in [5, 5, 0, 0, 0, 5, 1, 1] {
            assert_eq!(rung_by(&mut bench, at, value), [u64::from(value)], "at {at:#x}");
            assert_eq!(bench.shared(2).load::<u8>(at).unwrap(), idle.to_le_bytes()[0]);
            bench.handle_events();
        }
    }
    let all = Doorbells::ALL.len() * 8;
    assert_eq!(bench.device().rung.len(), all, "none of them more than once");
}

#[test]
fn the_first_ring_after_a_reset_a_client_or_a_stop_is_heard_whatever_the_last_one_was() {
    let restarts: [fn(&mut Bench<Doorbells>); 6] = [
        |bench| bench.reset(),
        |bench| bench.reset_by(ResetKind::FunctionLevel),
        |bench| bench.reset_by(ResetKind::PowerState),
        |bench| {
            bench.function_mut().disconnected();
            bench.function_mut().connected();
        },
        |bench| {
            bench.function_mut().stop();
            bench.function_mut().resume();
        },
        |bench| {
            let state = bench.save();
            *bench = doorbells();
            bench.load(&state).unwrap();
        },
    ];
    let mut bench = doorbells();
    bench.function_mut().connected();
    bench.handle_events();
    assert!(bench.device().rung.is_empty(), "what the device itself has filled in rings nothing");
    for restart in restarts {
        for (at, _) in Doorbells::ALL {
            assert_eq!(rung_by(&mut bench, at, 5), [5], "at {at:#x}");
            restart(&mut bench);
            assert_eq!(rung_by(&mut bench, at, 5), [5], "at {at:#x}");
        }
    }
}

#[test]
fn what_a_guest_writes_while_the_hook_runs_is_heard_afterwards_though_it_is_the_same() {
    let commands = [0x1100, 0x1108];
    for at in Doorbells::ALL.map(|(at, _)| at).into_iter().chain(commands) {
        let device = Doorbells { again: Some((at, 5)), ..Doorbells::default() };
        let mut bench = Bench::new(device).unwrap();
        bench.shared(2).store(at, 5_u8).unwrap();
        (0..3).for_each(|_| bench.handle_events());
        let rung = bench.device().rung.iter().map(|(at, value)| (*at, value & 0xff));
        assert_eq!(rung.collect::<Vec<_>>(), [(at, 5); 2]);
    }
}

#[test]
fn a_message_runs_the_hooks_whatever_the_register_holds() {
    let mut bench = doorbells();
    for value in [5_u16, 5, 0xffff] {
        bench.write(2, 0x1000, value);
    }
    assert_eq!(bench.device().rung, [(0x1000, 5), (0x1000, 5), (0x1000, 0xffff)]);
    let mut bench = self::bench();
    bench.write(0, 0x2000, 3_u32);
    bench.write(0, 0x2000, 3_u32);
    assert_eq!(bench.device().calls, [(100, 3), (100, 0)]);
}

#[test]
fn a_ring_that_was_not_seen_moves_with_the_device_and_only_that() {
    for (at, _) in Doorbells::ALL {
        let mut source = doorbells();
        assert_eq!(rung_by(&mut source, at, 5), [5]);
        source.shared(2).store(at, 5_u8).unwrap();
        let state = source.function().save().unwrap();
        let mut target = doorbells();
        target.load(&state).unwrap();
        target.handle_events();
        assert_eq!(target.device().rung.len(), 1, "at {at:#x}");
        target.handle_events();
        assert_eq!(target.device().rung.len(), 1, "at {at:#x}");
    }
}
