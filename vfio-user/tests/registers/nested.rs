//! Blocks in blocks: an engine whose rings have channels, which have lanes.

use std::time::Duration;

use vfio_user::declaration::{Descriptor, LayoutError, Slot};
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, ResetKind, Result, Timer, Virtual};

/// One of the lanes of a channel, which share their bytes.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = LaneHost, levels = 3)]
struct Lane {
    #[reg(0x00, reset = 5)]
    weight: u8,
    #[reg(0x01, wo, write_with = pushed)]
    push: Virtual<u8>,
    #[reg(0x02, w1)]
    fuses: [u8; 2],
    pushes: u16,
}

#[derive(Debug, Default, RegisterBlock)]
#[block(host = ChannelHost, levels = 2)]
struct Channel {
    #[reg(0x00)]
    head: u32,
    #[reg(0x04, wo, write_with = rung)]
    doorbell: Virtual<u32>,
    #[reg(0x08, w1c)]
    #[intr(status, enable = enable, test = test)]
    status: u8,
    #[reg(0x09)]
    enable: u8,
    #[reg(0x0a, wo)]
    test: Virtual<u8>,
    #[reg(0x0b)]
    locked: u8,
    #[reg(0x0c, lock = locked)]
    limits: [u8; 2],
    #[reg(0x0e)]
    page: u8,
    #[reg(0x10, when(page = 0..=2))]
    plain: u16,
    #[reg(0x10, when(page = 3))]
    hidden: u16,
    #[reg(0x18, read_with = level)]
    levels: [Virtual<u16>; 2],
    #[block(0x14, select = page)]
    lanes: [Lane; 3],
    moved: u64,
    #[timer(stalled)]
    patience: Timer,
}

/// Has no hooks of its own.
#[derive(Debug, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00, reset = 0x1000)]
    base: u64,
    #[block(0x20, stride = 0x20, vector_stride = 1, reset(soft(1) = keep))]
    channels: [Channel; 4],
    #[block(0x10)]
    monitor: Monitor,
    generation: u32,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Monitor {
    #[reg(0x00, wide)]
    count: u64,
}

#[derive(Debug, PartialEq)]
enum Call {
    Pushed([usize; 3], u8),
    Rung([usize; 2], u32),
    Stalled([usize; 2]),
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x2000, unmapped = ones)]
#[irq(msix = 17, bar = 4)]
struct Engine {
    #[reg(0x00)]
    control: u32,
    #[block(0x1000, stride = 0x100, vector = 1, vector_stride = 4)]
    rings: [Ring; 3],
    #[block(0x400, first = 3, vector = 13)]
    spare: Ring,
    #[reg(0x04, wo, write_with = Self::reset_one)]
    reset_one: Virtual<u32>,
    #[migrate(skip)]
    calls: Vec<Call>,
    #[migrate(skip)]
    exist: u32,
}

impl Default for Engine {
    fn default() -> Self {
        let (rings, spare, calls) = Default::default();
        Engine { control: 0, rings, spare, reset_one: Virtual::default(), calls, exist: 3 }
    }
}

impl Device for Engine {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        Ok(descriptor.set_block_count("rings", self.exist)?)
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        self.calls.clear();
        self.rings[2].generation = 9;
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        let (rings, spare) = (self.rings.iter_mut(), &mut self.spare);
        for ring in rings.chain([spare]) {
            ring.generation = 0;
            for channel in &mut ring.channels {
                channel.moved = 0;
                channel.lanes.iter_mut().for_each(|lane| lane.pushes = 0);
            }
        }
        if kind != ResetKind::Soft(1) {
            self.calls.clear();
        }
    }
}

const RINGS: usize = Cx::<Engine>::block_index("rings");
const CHANNELS: usize = Cx::<Engine>::block_index("rings.channels");

impl Engine {
    fn reset_one(&mut self, cx: &mut Cx<'_, Self>, what: u32) {
        let [ring, channel] = [what >> 8 & 0xff, what & 0xff].map(|index| index as usize);
        match what >> 16 {
            0 => cx.reset_block(self, RINGS, ring),
            1 => cx.reset_block(self, CHANNELS, [ring, channel]),
            2 => cx.reset_block(self, CHANNELS, channel),
            _ => cx.soft_reset(self, 1),
        }
    }

    fn ring(&mut self, index: usize) -> &mut Ring {
        if index == 3 { &mut self.spare } else { &mut self.rings[index] }
    }
}

impl ChannelHost for Engine {
    fn rung(&mut self, cx: &mut Cx<'_, Self>, [ring, channel]: [usize; 2], value: u32) {
        self.calls.push(Call::Rung([ring, channel], value));
        let channel = &mut self.ring(ring).channels[channel];
        channel.moved += u64::from(value);
        channel.patience.arm(cx, Duration::from_secs(1));
    }

    fn level(&mut self, _: &mut Cx<'_, Self>, [ring, channel]: [usize; 2], element: usize) -> u16 {
        u16::try_from(ring << 8 | channel << 4 | element).unwrap_or(0)
    }

    fn stalled(&mut self, _: &mut Cx<'_, Self>, index: [usize; 2]) {
        self.calls.push(Call::Stalled(index));
    }
}

impl LaneHost for Engine {
    fn pushed(&mut self, _: &mut Cx<'_, Self>, index: [usize; 3], value: u8) {
        self.calls.push(Call::Pushed(index, value));
        let [ring, channel, lane] = index;
        self.ring(ring).channels[channel].lanes[lane].pushes += 1;
    }
}

vfio_user::device_tests!(Engine, Engine::default);

fn engine() -> Bench<Engine> {
    Bench::new(Engine::default()).expect("a valid device")
}

/// The start of a channel; ring 3 is the spare one.
fn channel(ring: u64, channel: u64) -> u64 {
    let ring = if ring == 3 { 0x400 } else { 0x1000 + ring * 0x100 };
    ring + 0x20 + channel * 0x20
}

#[test]
fn every_element_has_registers_of_its_own() {
    let mut engine = engine();
    let all: Vec<_> = (0..4).flat_map(|ring| (0..4).map(move |one| (ring, one))).collect();
    for &(ring, one) in &all {
        engine.write(0, channel(ring, one), number(ring, one));
    }
    for &(ring, one) in &all {
        assert_eq!(engine.read::<u32>(0, channel(ring, one)), number(ring, one));
    }
    let device = engine.device();
    for (ring, block) in device.rings.iter().chain([&device.spare]).enumerate() {
        for (one, channel) in block.channels.iter().enumerate() {
            assert_eq!(channel.head, number(ring as u64, one as u64));
        }
    }
}

/// A number that no other channel has.
fn number(ring: u64, channel: u64) -> u32 {
    u32::try_from(0x100 * ring + channel + 1).expect("a small number")
}

#[test]
fn hooks_get_an_index_for_each_level() {
    let mut engine = engine();
    engine.write(0, channel(2, 3) + 4, 7_u32);
    engine.write(0, channel(3, 1) + 4, 8_u32);
    engine.write(0, channel(1, 2) + 0xe, 2_u8);
    engine.write(0, channel(1, 2) + 0x15, 9_u8);
    let expected = [Call::Rung([2, 3], 7), Call::Rung([3, 1], 8), Call::Pushed([1, 2, 2], 9)];
    assert_eq!(engine.device().calls, expected);
    assert_eq!(engine.read::<u16>(0, channel(2, 1) + 0x1a), 0x211);
}

#[test]
fn names_have_an_index_for_each_level() {
    let mut engine = engine();
    let function = engine.function_mut();
    function.poke("rings[2].channels[1].head", 0x77).expect("a register");
    function.poke("rings[2].channels[1].lanes[2].fuses[1]", 3).expect("a register");
    function.poke("spare.channels[3].head", 0x78).expect("a register");
    assert_eq!(engine.device().rings[2].channels[1].head, 0x77);
    assert_eq!(engine.device().rings[2].channels[1].lanes[2].fuses, [0, 3]);
    assert_eq!(engine.device().spare.channels[3].head, 0x78);
    for unknown in [
        "rings[3].channels[0].head",
        "rings[0].channels[4].head",
        "channels[0].head",
        "rings[0].head",
        "rings.channels.lanes[3].weight",
        "rings[0].channels[0].lanes",
    ] {
        assert!(engine.function().peek(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn a_slot_counts_through_all_elements_around() {
    let declared = Engine::DESCRIPTOR;
    let names = declared.blocks().iter().map(|block| (block.name(), block.count()));
    let expected = [
        ("rings", 3),
        ("spare", 1),
        ("channels", 12),
        ("monitor", 3),
        ("lanes", 36),
        ("channels", 4),
        ("monitor", 1),
        ("lanes", 12),
    ];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let mut engine = Engine::default();
    let lane = Slot::new(0, 0).in_block(4, (4 + 2) * 3 + 1);
    engine.store(lane, 6);
    assert_eq!(engine.rings[1].channels[2].lanes[1].weight, 6);
    assert_eq!(engine.load(lane), 6);
    let of_no_block = Slot::new(0, 0).in_block(8, 0);
    engine.store(of_no_block, 6);
    assert_eq!(engine.load(of_no_block), 0);
}

#[test]
fn a_selector_locks_and_conditions_are_those_of_the_same_element() {
    let mut engine = engine();
    let (one, other) = (channel(1, 2), channel(1, 3));
    for (page, at) in [(1_u8, one), (2, other)] {
        engine.write(0, at + 0xe, page);
        engine.write(0, at + 0x14, 0x10 + page);
    }
    assert_eq!(engine.device().rings[1].channels[2].lanes[1].weight, 0x11);
    assert_eq!(engine.device().rings[1].channels[3].lanes[2].weight, 0x12);
    engine.write(0, one + 0xe, 3_u8);
    assert_eq!(engine.read::<u8>(0, one + 0x14), 0, "there is no such lane");
    engine.write(0, one + 0x10, 7_u16);
    engine.write(0, other + 0x10, 8_u16);
    assert_eq!(engine.peek("rings[1].channels[2].hidden"), 7);
    assert_eq!(engine.peek("rings[1].channels[3].plain"), 8);
    engine.write(0, one + 0xb, 1_u8);
    for at in [one, other] {
        engine.write(0, at + 0xc, 9_u8);
    }
    assert_eq!(engine.read::<u8>(0, one + 0xc), 0);
    assert_eq!(engine.read::<u8>(0, other + 0xc), 9);
}

#[test]
fn interrupts_have_a_number_for_each_element() {
    let mut engine = engine();
    for (ring, one, vector) in [(0, 0, 1), (0, 3, 4), (2, 1, 10), (3, 0, 13), (3, 3, 16)] {
        engine.write(0, channel(ring, one) + 9, 1_u8);
        engine.write(0, channel(ring, one) + 0xa, 1_u8);
        let vectors = (0..17).filter(|vector| engine.take_irq(*vector) > 0);
        assert_eq!(vectors.collect::<Vec<_>>(), [vector], "channel {one} of ring {ring}");
    }
}

#[test]
fn timers_run_the_hook_of_their_element() {
    let mut engine = engine();
    engine.write(0, channel(2, 3) + 4, 1_u32);
    engine.post(());
    engine.handle_events();
    engine.advance(Duration::from_secs(1));
    assert_eq!(engine.device().calls, [Call::Stalled([2, 3])]);
}

/// Heads of ring 1, channels 1 and 2, and of ring 2.
fn heads(engine: &Bench<Engine>) -> [u64; 3] {
    ["rings[1].channels[1].head", "rings[1].channels[2].head", "rings[2].channels[1].head"]
        .map(|name| engine.peek(name))
}

fn used() -> Bench<Engine> {
    let mut engine = engine();
    for (ring, one) in [(1, 1), (1, 2), (2, 1)] {
        engine.write(0, channel(ring, one), 0x11_u32);
        engine.write(0, channel(ring, one) + 4, 1_u32);
        engine.write(0, channel(ring, one) + 0xe, 1_u8);
        engine.write(0, channel(ring, one) + 0x14, 0x22_u8);
        engine.write(0, channel(ring, one) + 0x15, 1_u8);
    }
    engine
}

#[test]
fn an_element_is_reset_with_all_in_it() {
    let mut engine = used();
    engine.write(0, 0x04, 1_u32 << 8);
    assert_eq!(heads(&engine), [0, 0, 0x11]);
    assert_eq!(engine.peek("rings[1].channels[2].lanes[1].weight"), 5);
    assert!(!engine.device().rings[1].channels[1].patience.is_armed());
    assert!(engine.device().rings[2].channels[1].patience.is_armed());

    let mut engine = used();
    engine.write(0, 0x04, 0x1_0102_u32);
    assert_eq!(heads(&engine), [0x11, 0, 0x11]);
    for nothing in [0x1_0104_u32, 0x1_0301, 0x2_0001, 0x0_0300] {
        let mut engine = used();
        engine.write(0, 0x04, nothing);
        assert_eq!(heads(&engine), [0x11; 3], "{nothing:#x}");
    }
}

#[test]
fn what_a_block_keeps_the_blocks_in_it_keep() {
    let mut engine = used();
    engine.write(0, 0x1100, 1_u64);
    engine.write(0, 0x04, 0x3_0000_u32);
    assert_eq!(heads(&engine), [0x11; 3]);
    assert_eq!(engine.peek("rings[1].channels[2].lanes[1].weight"), 0x22);
    assert_eq!(engine.peek("rings[1].base"), 0x1000);
}

#[test]
fn all_of_it_migrates() {
    let mut source = used();
    source.post(());
    source.handle_events();
    source.write(0, 0x1110, 1_u32);
    source.write(0, channel(2, 1) + 0x16, 3_u8);
    let mut destination = engine();
    destination.load(&source.save()).expect("the state of an equal device");
    let saved = |engine: &Bench<Engine>| {
        let rings = engine.device().rings.iter();
        let lanes = |one: &Channel| (one.head, one.moved, one.lanes.map(|lane| lane.pushes));
        rings.map(|ring| (ring.generation, ring.channels.each_ref().map(lanes))).collect::<Vec<_>>()
    };
    assert_eq!(saved(&destination), saved(&source));
    assert_eq!(destination.device().rings[2].channels[1].lanes[1].pushes, 1);
    assert!(destination.device().rings[1].channels[2].patience.is_armed());
    destination.write(0, channel(2, 1) + 0x16, 0xff_u8);
    assert_eq!(destination.peek("rings[2].channels[1].lanes[1].fuses"), 3, "written once");
    destination.write(0, 0x1114, 2_u32);
    assert_eq!(destination.peek("rings[1].monitor.count"), 0x2_0000_0001);
}

#[test]
fn blocks_in_elements_exist_with_them() {
    let mut one = Bench::new(Engine { exist: 1, ..Engine::default() }).expect("a valid device");
    one.write(0, channel(0, 3), 7_u32);
    one.write(0, channel(1, 0), 7_u32);
    assert_eq!(one.read::<u32>(0, channel(0, 3)), 7);
    assert_eq!(one.read::<u32>(0, channel(1, 0)), u32::MAX);
    let mut other = Bench::new(Engine { exist: 1, ..Engine::default() }).expect("a valid device");
    other.load(&one.save()).expect("the same shape");
    assert_eq!(other.peek("rings.channels[3].head"), 7);
    assert!(engine().load(&one.save()).is_err());

    let mut none = Bench::new(Engine { exist: 0, ..Engine::default() }).expect("a valid device");
    assert_eq!(none.read::<u32>(0, channel(0, 0)), u32::MAX);
    none.write(0, channel(3, 0), 7_u32);
    let mut other = Bench::new(Engine { exist: 0, ..Engine::default() }).expect("a valid device");
    other.load(&none.save()).expect("the same shape");
    assert_eq!(other.peek("spare.channels[0].head"), 7);
}

#[test]
fn only_a_block_of_the_device_is_counted() {
    let mut descriptor = Engine::DESCRIPTOR;
    let block = "rings.channels";
    let refused = descriptor.set_block_count(block, 2);
    assert_eq!(refused, Err(LayoutError::InnerBlockCount { block }));
}
