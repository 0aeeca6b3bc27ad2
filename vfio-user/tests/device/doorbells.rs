//! Doorbells: what comes of a write, by message and by eventfd.

use vfio_user::declaration::DataMatch;
use vfio_user::function::{BackgroundWork as _, Doorbell, Function as _};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, EventFd, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00)]
    tail: u32,
    #[reg(0x04, wo, kick = notified)]
    notify: [Virtual<u16>; 2],
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xd00b)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: io, size = 0x20)]
struct Bells {
    #[reg(0x00, wo, write_with = Self::ring, ioeventfd = Self::GO)]
    go: [Virtual<u32>; 2],
    #[reg(0x10, kick = Self::kicked, on_write = Self::stored, lock = locked)]
    stored: u32,
    #[reg(0x14)]
    locked: u32,
    #[reg(0x18, on_write = Self::wide, ioeventfd = 0x1_0000_0001, wide)]
    wide: u64,
    #[reg(0x04, bar = 2, wo, kick = Self::kicked)]
    port: Virtual<u8>,
    #[block(0x100, stride = 0x10, first = 8)]
    queues: [Queue; 2],
    #[migrate(skip)]
    calls: Vec<Call>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Ring(usize, u32),
    Kicked,
    Stored(u32, u32),
    Wide(u64, u64),
    Notified(usize, usize),
}
use Call::{Kicked, Notified, Ring, Stored, Wide};

impl Device for Bells {
    type Event = ();
}

impl Bells {
    const GO: u8 = 7;

    fn ring(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.calls.push(Ring(index, value));
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        self.calls.push(Kicked);
    }

    fn stored(&mut self, _: &mut Cx<'_, Self>, old: u32, new: u32) {
        self.calls.push(Stored(old, new));
    }

    fn wide(&mut self, _: &mut Cx<'_, Self>, old: u64, new: u64) {
        self.calls.push(Wide(old, new));
    }
}

impl QueueHost for Bells {
    fn notified(&mut self, _: &mut Cx<'_, Self>, index: usize, element: usize) {
        self.calls.push(Notified(index, element));
    }
}

fn bench() -> Bench<Bells> {
    Bench::new(Bells::default()).unwrap()
}

/// The eventfd of the doorbell at an offset.
fn eventfd(bench: &mut Bench<Bells>, region: RegionIndex, offset: u64) -> EventFd {
    let function = bench.function_mut();
    let doorbells = function.doorbells(region);
    let place = doorbells.iter().position(|doorbell| doorbell.offset == offset).unwrap();
    EventFd::from_fd(function.doorbell_fd(region, place).unwrap()).unwrap()
}

#[track_caller]
fn expect(bench: &mut Bench<Bells>, calls: &[Call]) {
    bench.function_mut().catch_up();
    assert_eq!(bench.device().calls, calls);
}

#[test]
fn every_doorbell_is_listed() {
    let bench = bench();
    let listed = |region| {
        let doorbells = bench.function().doorbells(region).into_iter();
        doorbells.map(|Doorbell { offset, size, value, is_port }| (offset, size, value, is_port))
    };
    let (go, any) = (DataMatch::Value(7), DataMatch::Any);
    let wide = DataMatch::Value(0x1_0000_0001);
    let expected = [
        (0x00, 4, go, false),
        (0x04, 4, go, false),
        (0x10, 4, any, false),
        (0x18, 8, wide, false),
        (0x104, 2, any, false),
        (0x106, 2, any, false),
        (0x114, 2, any, false),
        (0x116, 2, any, false),
    ];
    assert!(listed(RegionIndex::Bar0).eq(expected));
    assert!(listed(RegionIndex::Bar2).eq([(4, 1, any, true)]));
    assert_eq!(listed(RegionIndex::Config).len(), 0);
}

#[test]
fn a_message_runs_the_write_hooks_and_then_the_kick() {
    let mut bench = bench();
    bench.write(0, 0x10, 5_u32);
    bench.write(0, 0x106, 1_u16);
    bench.write(2, 0x04, 1_u8);
    bench.write(0, 0x04, 3_u32);
    expect(&mut bench, &[Stored(0, 5), Kicked, Notified(8, 1), Kicked, Ring(1, 3)]);
}

#[test]
fn an_eventfd_runs_the_hook_with_the_value_or_the_kick() {
    let mut bench = bench();
    for (region, offset) in [
        (RegionIndex::Bar0, 0x04),
        (RegionIndex::Bar0, 0x10),
        (RegionIndex::Bar0, 0x18),
        (RegionIndex::Bar0, 0x114),
        (RegionIndex::Bar2, 0x04),
    ] {
        eventfd(&mut bench, region, offset).signal();
        bench.function_mut().catch_up();
    }
    let wide = Wide(0, 0x1_0000_0001);
    expect(&mut bench, &[Ring(1, 7), Kicked, wide, Notified(9, 0), Kicked]);
    assert_eq!((bench.device().stored, bench.device().wide), (0, 0x1_0000_0001));
    expect(&mut bench, &[Ring(1, 7), Kicked, wide, Notified(9, 0), Kicked]);
}

#[test]
fn kicks_coalesce_and_doorbells_do_not_mix() {
    let mut bench = bench();
    let first = eventfd(&mut bench, RegionIndex::Bar0, 0x00);
    let same = eventfd(&mut bench, RegionIndex::Bar0, 0x00);
    let other = eventfd(&mut bench, RegionIndex::Bar0, 0x10);
    for _ in 0..5 {
        first.signal();
        same.signal();
        other.signal();
    }
    bench.function_mut().catch_up();
    assert_eq!(bench.device().calls.len(), 2);
    assert!([Ring(0, 7), Kicked].iter().all(|call| bench.device().calls.contains(call)));
}

#[test]
fn a_locked_doorbell_is_silent() {
    let mut bench = bench();
    let bell = eventfd(&mut bench, RegionIndex::Bar0, 0x10);
    bench.poke("locked", 1);
    bell.signal();
    bench.write(0, 0x10, 5_u32);
    expect(&mut bench, &[]);
    bench.poke("locked", 0);
    bell.signal();
    expect(&mut bench, &[Kicked]);
}

#[test]
fn what_rings_after_its_client_has_left_rings_in_vain() {
    let mut bench = bench();
    let before = eventfd(&mut bench, RegionIndex::Bar0, 0x10);
    assert!(bench.function().wake().is_some());
    bench.function_mut().disconnected();
    assert!(
        bench.function().wake().is_none(),
        "a device without eventfds waits for its client only"
    );
    before.signal();
    expect(&mut bench, &[]);
    let after = eventfd(&mut bench, RegionIndex::Bar0, 0x10);
    before.signal();
    expect(&mut bench, &[]);
    after.signal();
    expect(&mut bench, &[Kicked]);
    assert!(bench.function_mut().doorbell_fd(RegionIndex::Bar0, 8).is_err());
    assert!(bench.function_mut().doorbell_fd(RegionIndex::Rom, 0).is_err());
}
