//! State that leaves one device and becomes another's.

mod conversions;
mod growth;
mod layout;
mod memory;
mod types;
mod versions;

use std::env;

use vfio_user::migration::{
    Frame, Hello, OldState, SectionsWriter, StateError, StreamError, StreamReader, StreamWriter,
    sections,
};
use vfio_user::{
    Bench, Cx, Device, Error, PciDevice, Register, RegisterBlock, Result, Timer, Virtual,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast,
    Turbo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=1)]
    mode: Mode,
    #[field(bit = 4)]
    go: bool,
}

#[derive(
    Clone, Debug, Default, PartialEq, vfio_user::serde::Serialize, vfio_user::serde::Deserialize,
)]
#[serde(crate = "vfio_user::serde")]
struct Job {
    length: u32,
    kind: Kind,
}

#[derive(
    Clone, Debug, Default, PartialEq, vfio_user::serde::Serialize, vfio_user::serde::Deserialize,
)]
#[serde(crate = "vfio_user::serde")]
enum Kind {
    #[default]
    Idle,
    Copy {
        from: u64,
        to: u64,
    },
}

#[derive(Debug, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08, w1)]
    key: u32,
    jobs: [u16; 16],
    #[migrate(max_len = 4)]
    name: Vec<u8>,
}

/// A device that has one of everything.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "card-1")]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x4000, shared)]
#[irq(msix = 4, bar = 4)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[reg(0x04, mask = 0xff)]
    narrow: u32,
    #[reg(0x08)]
    control: Control,
    #[reg(0x10, wide)]
    address: u64,
    #[reg(0x18, w1)]
    fuse: u32,
    #[reg(0x1c, ro, reset = 7)]
    id: Virtual<u32>,
    #[reg(0x20)]
    ring: [u32; 8],
    #[reg(0x40, w1c)]
    #[intr(status, vector = 3)]
    status: u32,
    #[reg(0x44)]
    #[migrate(skip)]
    local: u32,
    #[block(0x100, stride = 0x20)]
    queues: [Queue; 3],
    #[migrate(max_len = 8)]
    buffer: Vec<u8>,
    counter: u64,
    current: Job,
    table: [u64; 20],
    #[migrate(with = minutes)]
    elapsed: std::time::Duration,
    #[migrate(skip)]
    refuses: bool,
    #[migrate(skip)]
    loads: u32,
}

/// Whole minutes travel.
mod minutes {
    use std::time::Duration;

    pub(super) fn save(elapsed: &Duration) -> u64 {
        elapsed.as_secs() / 60
    }

    pub(super) fn load(minutes: u64) -> Result<Duration, &'static str> {
        minutes.checked_mul(60).map(Duration::from_secs).ok_or("too many minutes")
    }
}

impl Device for Card {
    type Event = ();

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        self.loads += 1;
        if self.refuses { Err(Error::device("not today")) } else { Ok(()) }
    }
}

fn used() -> Bench<Card> {
    let mut bench = Bench::new(Card {
        buffer: vec![1, 2, 3],
        counter: u64::MAX,
        current: Job { length: 9, kind: Kind::Copy { from: 1, to: 2 } },
        table: std::array::from_fn(|n| n as u64),
        elapsed: std::time::Duration::from_secs(120),
        queues: std::array::from_fn(|n| Queue {
            jobs: [u16::try_from(n).unwrap(); 16],
            name: vec![b'q'; n],
            ..Queue::default()
        }),
        ..Card::default()
    })
    .unwrap();
    bench.write(0, 0x00, 0xdead_beef_u32);
    bench.write(0, 0x04, 0x12_u32);
    bench.write(0, 0x08, 0x12_u32);
    bench.write(0, 0x10, 0xaaaa_u32);
    bench.write(0, 0x18, 1_u32);
    bench.write(0, 0x24, 5_u32);
    bench.write(0, 0x44, 6_u32);
    bench.write(0, 0x128, 3_u32);
    bench.write(2, 0x2004, 0x5555_u32);
    bench.write(4, 0x08, 0xfee0_u32);
    // Vector 3 is unmasked, the others are not.
    bench.write(4, 0x3c, 0_u32);
    bench.write_config(0x04, 0x0006_u16);
    bench.write_config(0x10, 0xfebf_0000_u32);
    bench.poke("status", 0x100);
    // An access composes interrupts.
    bench.write(0, 0x44, 6_u32);
    bench
}

fn fresh() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

/// Everything of a card that can be seen.
fn seen(bench: &mut Bench<Card>) -> String {
    let config: Vec<u8> = (0..256).map(|at| bench.read_config(at)).collect();
    let memory: Vec<(u64, u32)> = (0..0x4000_u64)
        .step_by(4)
        .map(|at| (at, bench.read(2, at)))
        .filter(|(_, word)| *word != 0)
        .collect();
    let msix: Vec<u64> = (0..8).map(|at| bench.read(4, at * 8)).collect();
    format!("{:?} {config:x?} {msix:x?} {memory:x?}", bench.device())
}

#[test]
fn a_card_becomes_another() {
    let (mut source, mut target) = (used(), fresh());
    let (before, stream) = (seen(&mut source), source.save());
    target.load(&stream).unwrap();
    assert_eq!(target.device().loads, 1);
    let local = target.peek("local");
    assert_eq!(local, 0, "what is skipped stays");
    assert_eq!(target.device().elapsed.as_secs(), 120);
    assert_eq!(target.save(), stream);
    assert_eq!(seen(&mut source), before, "saving changes nothing");
    target.poke("local", 6);
    assert_eq!(seen(&mut target).replace("loads: 1", "loads: 0"), before);
}

#[test]
fn what_the_runtime_keeps_goes_along() {
    let mut target = fresh();
    target.load(&used().save()).unwrap();
    // The lower half of the address waits for the upper one.
    assert_eq!(target.peek("address"), 0);
    target.write(0, 0x14, 1_u32);
    assert_eq!(target.peek("address"), 0x1_0000_aaaa);
    // What was written once is written.
    target.write(0, 0x18, 0xff_u32);
    target.write(0, 0x128, 0xff_u32);
    assert_eq!((target.peek("fuse"), target.peek("queues[1].key")), (1, 3));
    target.write(0, 0x108, 4_u32);
    assert_eq!(target.peek("queues[0].key"), 4);
}

#[test]
fn an_interrupt_is_not_sent_again() {
    let mut source = used();
    assert_eq!(source.take_irq(3), 1, "the status was poked, and composed by an access");
    let mut target = fresh();
    target.load(&source.save()).unwrap();
    target.write(0, 0x00, 0_u32);
    assert_eq!(target.take_irq(3), 0);
    target.poke("status", 0x300);
    target.write(0, 0x00, 0_u32);
    assert_eq!(target.take_irq(3), 1);
}

#[test]
fn a_refused_state_is_taken_back() {
    let mut target = used();
    target.load(&used().save()).unwrap();
    let mut target = Bench::new(Card { refuses: true, counter: 5, ..Card::default() }).unwrap();
    target.write(2, 0x2004, 1_u32);
    target.write(0, 0x10, 0x77_u32);
    let before = seen(&mut target);
    let error = target.load(&used().save()).unwrap_err();
    assert!(matches!(error, StateError::Refused(_)), "{error}");
    assert_eq!(seen(&mut target).replace("loads: 1", "loads: 0"), before);
    target.write(0, 0x14, 0_u32);
    assert_eq!(target.peek("address"), 0x77, "the half that waited waits again");
}

#[test]
fn damage_of_any_kind_leaves_the_card_as_it_was() {
    let stream = used().save();
    let mut target = fresh();
    let before = seen(&mut target);
    for len in (0..stream.len()).step_by(7) {
        assert!(target.load(&stream[..len]).is_err(), "{len} bytes");
    }
    for bit in (0..stream.len() * 8).step_by(13) {
        let mut stream = stream.clone();
        stream[bit / 8] ^= 1 << (bit % 8);
        assert!(target.load(&stream).is_err(), "bit {bit}");
    }
    assert_eq!(seen(&mut target), before);
}

/// A stream with its state changed and sealed again.
fn with_state(stream: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut hello, mut state) = (None::<Hello>, Vec::new());
    StreamReader::new()
        .push(stream, |frame| {
            match frame {
                Frame::Hello(theirs) => hello = Some(theirs),
                Frame::State(sections) => state = sections.to_vec(),
                _ => {}
            }
            Ok::<_, StreamError>(())
        })
        .unwrap();
    change(&mut state);
    let mut writer = StreamWriter::new(&hello.unwrap());
    writer.state(&state);
    writer.end();
    writer.take()
}

/// So often, unless `VFIO_USER_DAMAGES` says how often.
const DAMAGES: u32 = 3000;

#[test]
fn sealed_damage_changes_nothing_unless_it_loads() {
    let times = env::var("VFIO_USER_DAMAGES").map_or(DAMAGES, |times| times.parse().unwrap());
    let stream = used().save();
    let mut target = fresh();
    let mut random = 1_u64;
    let mut next = || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap()
    };
    let (mut refused, pristine) = (0, fresh().save());
    for _ in 0..times {
        let damaged = with_state(&stream, |state| {
            for _ in 0..=next() % 3 {
                let at = next() % state.len();
                state[at] = u8::try_from(next() % 256).unwrap();
            }
        });
        match target.load(&damaged) {
            Ok(()) => target.load(&pristine).unwrap(),
            Err(_) => refused += 1,
        }
        assert_eq!(target.save(), pristine);
    }
    assert!(refused > times / 3, "{refused}");
}

#[test]
fn another_device_and_another_layout_are_refused() {
    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "card-1")]
    #[bar(0: mem32, size = 0x2000)]
    struct Larger {}
    impl Device for Larger {
        type Event = ();
    }
    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcaff)]
    struct Other {}
    impl Device for Other {
        type Event = ();
    }
    let mut target = fresh();
    let larger = Bench::new(Larger::default()).unwrap().save();
    let refused = target.load(&larger).unwrap_err();
    assert!(matches!(refused, StateError::LayoutDiffers(_)), "{refused}");
    assert!(refused.to_string().contains("BAR 0: the state has mem32, 0x2000 bytes"), "{refused}");
    let other = target.load(&Bench::new(Other::default()).unwrap().save()).unwrap_err();
    let message = "the state is of device `other` (1234:caff); this is `card-1` (1234:cafe)";
    assert_eq!(other.to_string(), message);
}

#[test]
fn what_has_said_so_does_not_migrate() {
    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe)]
    #[migrate(none)]
    struct Pinned {
        _handle: Option<std::sync::Arc<()>>,
    }
    impl Device for Pinned {
        type Event = ();
    }
    let bench = Bench::new(Pinned::default()).unwrap();
    let error = bench.function().save().unwrap_err();
    assert_eq!(error.to_string(), "device `pinned` does not migrate");
}

#[test]
fn arrays_have_any_length() {
    #[derive(Debug, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe)]
    struct Wide {
        table: [u64; 50],
        key: [u8; 40],
    }
    impl Device for Wide {
        type Event = ();
    }
    let bench = |table, key| Bench::new(Wide { table, key }).unwrap();
    let stream = bench([7; 50], [8; 40]).save();
    let mut target = bench([0; 50], [0; 40]);
    target.load(&stream).unwrap();
    assert_eq!((target.device().table, target.device().key), ([7; 50], [8; 40]));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let too_long = Bench::new(Card { buffer: vec![0; 9], ..Card::default() }).unwrap();
    let error = too_long.function().save().unwrap_err();
    let message = "field `buffer` of section `device`: it holds 9 elements; at most 8 are accepted";
    assert_eq!(error.to_string(), message);
}
