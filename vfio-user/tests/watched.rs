//! Watched registers: in shared memory, written by guests without a message.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use vfio_user::protocol::RegionIndex;
use vfio_user::{
    Bench, Cx, Device, Function as _, Hosted, PciDevice, RegisterBlock, ResetKind, Virtual,
    device_tests,
};

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
    #[reg(0x1000, watch, write_with = Self::ring)]
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

// The write of what a register holds is not seen: a command never holds anything, unless it is poked.
device_tests!(Engine, Engine::default, exclude = ["command"]);

fn bench() -> Bench<Engine> {
    Bench::new(Engine::default()).unwrap()
}

#[test]
fn a_change_runs_the_hooks_once_it_is_seen() {
    let mut bench = bench();
    bench.shared(0).store(0x1002, 7_u8).unwrap();
    bench.shared(0).store(0x2800, 3_u32).unwrap();
    assert!(bench.device().calls.is_empty(), "nobody has looked yet");
    bench.handle_events();
    assert_eq!(bench.device().calls, [(2, 7), (101, 3)]);
    bench.shared(0).store(0x2800, 4_u32).unwrap();
    bench.shared(0).store(0x2800, 9_u32).unwrap();
    bench.shared(0).store(0x1002, 7_u8).unwrap();
    bench.handle_events();
    assert_eq!(bench.device().calls[2..], [(101, 6)], "what is between two looks is not seen");
}

#[test]
fn a_message_is_seen_at_once_and_what_was_stored_before_it() {
    let mut bench = bench();
    bench.write(0, 0x1000, 1_u8);
    assert_eq!(bench.device().calls, [(0, 1)]);
    bench.shared(0).store(0x1001, 2_u8).unwrap();
    bench.hosted_mut().catch_up();
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
    assert_eq!(loaded, [0, 5, 3, 0]);
}

#[test]
fn a_device_looks_by_itself_while_a_client_is_there_and_it_runs() {
    let mut bench = bench();
    let hosted = bench.hosted_mut();
    hosted.shared(0).store(0x1000, 1_u8).unwrap();
    assert!(hosted.next_look().is_none(), "nobody can write");
    hosted.connected();
    assert!(hosted.next_look().is_some());
    assert!(hosted.look() && hosted.look(), "until the work is done");
    hosted.work();
    assert!(!hosted.look());
    hosted.shared(0).store(0x2808, 1_u8).unwrap();
    assert!(hosted.look());
    hosted.stop();
    hosted.shared(0).store(0x1000, 2_u8).unwrap();
    assert!(!hosted.look() && hosted.next_look().is_none());
    hosted.resume();
    assert!(hosted.look() && hosted.next_look().is_some());
    hosted.disconnected();
    assert!(hosted.next_look().is_none());
}

#[test]
fn looks_become_rarer_while_nothing_changes() {
    let mut bench = bench();
    let hosted = bench.hosted_mut();
    hosted.connected();
    let pause = |hosted: &mut Hosted<Engine>| {
        let before = Instant::now();
        assert!(!hosted.look());
        hosted.next_look().unwrap().saturating_duration_since(before)
    };
    std::thread::sleep(Duration::from_millis(40));
    assert!(pause(hosted) >= Duration::from_micros(200));
    hosted.shared(0).store(0x1000, 1_u8).unwrap();
    hosted.work();
    assert!(hosted.next_look().unwrap() <= Instant::now(), "more may come");
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
    let state = source.save();
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
