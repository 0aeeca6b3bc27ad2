//! Memory that clients access by messages, beside registers.

use std::ops::Range;

use proptest::prelude::*;
use tracing::Level;
use vfio_user::declaration::LayoutError;
use vfio_user::function::PeekError;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, suite::Suite};

use crate::log::logged;

const START: u64 = 0x103;
const SIZE: usize = 0x3f0;

/// Registers, memory at odd offsets, nothing, and registers again.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5b, name = "card")]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
#[bar(2: mem32, size = 0x100, unmapped = refuse, access = 4)]
struct Card {
    #[reg(0x0f8)]
    before: [u16; 5],
    #[memory(START..START + 0x3f0)]
    buffer: Box<[u8]>,
    #[reg(0x4f4)]
    behind: u32,
    #[memory(0x10..0x20, bar = 2, on_write = Self::touched, reset = zero)]
    queue: Vec<u8>,
    #[reg(0x0c, bar = 2)]
    strict: u32,
    #[memory(0x30..0x38, bar = 2, reset = keep)]
    label: [u8; 8],
    touched: u64,
    #[migrate(max_len = 64)]
    ranges: Vec<(u64, u64)>,
}

impl Device for Card {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.touched = 0;
        self.ranges.clear();
    }
}

impl Card {
    fn touched(&mut self, _: &mut Cx<'_, Self>, range: Range<usize>) {
        self.touched += self.queue[range.clone()].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        self.ranges.push((range.start as u64, range.end as u64));
        self.ranges.truncate(64);
    }
}

fn card() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

/// What a byte of BAR 0 holds if nothing was written, if it holds anything.
fn is_stored(at: usize) -> bool {
    (0x0f8..0x102).contains(&at) || (0x103..0x4f3).contains(&at) || (0x4f4..0x4f8).contains(&at)
}

proptest! {
    #[test]
    fn messages_of_any_length_find_the_bytes_that_were_written(
        script in prop::collection::vec(
            (0x0f0usize..0x500, prop::collection::vec(any::<u8>(), 1..600)), 1..30),
    ) {
        let mut bench = card();
        let mut model: Vec<u8> =
            (0..0x1000).map(|at| if is_stored(at) { 0 } else { 0xff }).collect();
        for (start, data) in script {
            bench.try_write(RegionIndex::Bar0, start as u64, &data).unwrap();
            for (at, byte) in (start..).zip(&data).filter(|(at, _)| is_stored(*at)) {
                model[at] = *byte;
            }
            let mut found = vec![0; data.len() + 7];
            bench.try_read(RegionIndex::Bar0, start as u64 - 3, &mut found).unwrap();
            prop_assert_eq!(&found, &model[start - 3..start + data.len() + 4]);
            bench.function().peek_at(0, start as u64 - 3, &mut found).unwrap();
            prop_assert_eq!(&found, &model[start - 3..start + data.len() + 4]);
        }
        prop_assert_eq!(&bench.device().buffer[..], &model[0x103..0x103 + SIZE]);
    }
}

#[test]
fn a_hook_gets_the_bytes_that_were_written() {
    let mut bench = card();
    bench.try_write(RegionIndex::Bar2, 0x13, &[1, 2, 3]).unwrap();
    bench.try_write(RegionIndex::Bar2, 0x10, &[1; 16]).unwrap();
    bench.write(2, 0x1f, 7_u8);
    assert_eq!(bench.device().ranges, [(3, 6), (0, 16), (15, 16)]);
    assert_eq!(bench.device().touched, 6 + 16 + 7);
    // From the register before it.
    bench.try_write(RegionIndex::Bar2, 0x0c, &[9; 6]).unwrap();
    assert_eq!(bench.device().strict, 0x0909_0909);
    assert_eq!(bench.device().ranges[3], (0, 2));
    bench.read::<u64>(2, 0x10);
    assert_eq!(bench.device().ranges.len(), 4);
}

/// The sizes of a BAR are those of its registers.
#[test]
fn memory_accepts_all_sizes_and_a_message_is_refused_as_a_whole() {
    let mut bench = card();
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x0c, &[1, 2]), Err(Errno::EINVAL));
    for (start, len) in [(0x1e, 4), (0x0a, 8), (0x2f, 2), (0x34, 8)] {
        let data = vec![0xee; len];
        assert_eq!(bench.try_write(RegionIndex::Bar2, start, &data), Err(Errno::EINVAL));
    }
    let Card { queue, label, strict, ranges, .. } = bench.device();
    assert!(queue.iter().chain(label).all(|byte| *byte == 0) && *strict == 0 && ranges.is_empty());
    assert_eq!(bench.try_write(RegionIndex::Bar2, 0x1d, &[7; 3]), Ok(()));
    assert_eq!(bench.read::<u8>(2, 0x1f), 7);
}

#[test]
fn a_reset_leaves_what_is_declared() {
    let mut image: Box<[u8]> = (0..SIZE).map(|at| at.to_le_bytes()[0]).collect();
    let mut bench = Bench::new(Card {
        buffer: image.clone(),
        queue: vec![1; 16],
        label: *b"constant",
        ..Card::default()
    })
    .unwrap();
    assert!(bench.device().queue.iter().all(|byte| *byte == 0), "zero from the start");
    let drive = |bench: &mut Bench<Card>| {
        bench.write(0, START + 5, 0xff_u8);
        bench.write(2, 0x10, u64::MAX);
        bench.write(2, 0x30, u64::from_le_bytes(*b"variable"));
    };
    drive(&mut bench);
    assert_eq!(bench.device().buffer[5], 0xff);
    for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState] {
        bench.reset_by(kind);
        let Card { buffer, queue, label, .. } = bench.device();
        assert_eq!((buffer, queue, label), (&image, &vec![0; 16], b"variable"), "{kind:?}");
        drive(&mut bench);
    }
    // One that starts as zeros.
    image.fill(0);
    let mut bench = card();
    drive(&mut bench);
    bench.reset();
    assert_eq!(bench.device().buffer, image);
}

#[test]
fn a_memory_of_another_length_is_refused() {
    let device = Card { queue: vec![0; 15], ..Card::default() };
    let error = Bench::new(device).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory `queue` has 0xf bytes, but its range 0x10..0x20 has 0x10"
    );
    let vfio_user::Error::Layout(error) = error else { panic!("{error}") };
    assert!(matches!(*error, LayoutError::MemoryLength { .. }));
}

/// A device may shorten its memory by mistake.
#[test]
fn what_a_device_has_shortened_reads_zero_and_is_logged_once() {
    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 1, name = "short")]
    #[bar(0: mem32, size = 0x1000)]
    struct Short {
        #[memory(0x100..0x200, on_write = Self::shorten)]
        buffer: Vec<u8>,
    }

    impl Device for Short {
        type Event = ();
    }

    impl Short {
        fn shorten(&mut self, _: &mut Cx<'_, Self>, range: Range<usize>) {
            self.buffer.truncate(range.start);
        }
    }

    let lines = logged(Level::WARN, || {
        let mut bench = Bench::new(Short::default()).unwrap();
        bench.write(0, 0x180, u64::MAX);
        assert_eq!(bench.read::<u64>(0, 0x180), 0);
        bench.write(0, 0x17c, u64::MAX);
        assert_eq!(bench.device().buffer.len(), 0x80);
    });
    assert_eq!(
        lines,
        ["short: 8-byte read of BAR 0 at 0x180 ignored: the device has shortened the memory",]
    );
}

#[test]
fn accesses_are_traced_by_name() {
    let lines = logged(Level::TRACE, || {
        let mut bench = card();
        bench.write(0, START + 0x10, 1_u32);
        bench.read::<u8>(0, START);
    });
    assert_eq!(lines, ["card.buffer[0x10..0x14]: written", "card.buffer[0x0..0x1]: read"]);
}

#[test]
fn bytes_are_peeked_and_poked_by_name_and_by_offset() {
    let mut bench = card();
    bench.poke("buffer[3]", 0x5a);
    assert_eq!((bench.peek("buffer[3]"), bench.read::<u8>(0, START + 3)), (0x5a, 0x5a));
    let function = bench.function_mut();
    let unknown = |name: &str| Err(PeekError::Unknown(name.to_owned()));
    assert_eq!(function.poke("buffer[1008]", 1), unknown("buffer[1008]"));
    assert_eq!(function.poke("buffer", 1), unknown("buffer"));
    let too_wide = PeekError::TooWide { name: "buffer[0]".to_owned(), value: 0x100 };
    assert_eq!(function.poke("buffer[0]", 0x100), Err(too_wide));
    function.poke_at(2, 0x0c, &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(function.poke_at(2, 0x1f, &[1, 2]), Err(PeekError::Unmapped(0x1f, 0x21)));
    let Card { strict, queue, ranges, .. } = bench.device();
    assert_eq!((*strict, &queue[..3], queue[15]), (0x0403_0201, &[5, 6, 0][..], 0));
    assert!(ranges.is_empty(), "no hook has run");
}

#[test]
fn it_migrates_in_one_piece() {
    let (mut source, mut target) = (card(), card());
    let data: Vec<u8> = (0..SIZE).map(|at| (at * 7).to_le_bytes()[0]).collect();
    source.try_write(RegionIndex::Bar0, START, &data).unwrap();
    source.write(2, 0x30, u64::from_le_bytes(*b"migrates"));
    target.load(&source.save()).unwrap();
    assert_eq!(&target.device().buffer[..], &data[..]);
    assert_eq!(&target.device().label, b"migrates");
}

/// The same card with a longer memory.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5b, name = "card")]
#[bar(0: mem32, size = 0x1000)]
struct Long {
    #[memory(START..START + 0x400)]
    buffer: Vec<u8>,
}

/// And with a shorter one.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5b, name = "card")]
#[bar(0: mem32, size = 0x1000)]
struct Small {
    #[memory(START..START + 0x3ff)]
    buffer: Vec<u8>,
}

impl Device for Long {
    type Event = ();
}

impl Device for Small {
    type Event = ();
}

#[test]
fn state_of_another_length_is_refused() {
    let mut source = Bench::new(Long::default()).unwrap();
    source.write(0, START, 0x11_u8);
    let mut target = Bench::new(Small::default()).unwrap();
    target.write(0, START, 0x22_u8);
    let error = target.load(&source.save()).unwrap_err().to_string();
    assert!(error.contains("`buffer`") && error.contains("1023 are needed"), "{error}");
    assert_eq!(target.device().buffer[0], 0x22);
}

#[test]
fn the_generated_tests_reach_it() {
    const SUITE: Suite<Card> = Suite::new(Card::default);
    SUITE.resets();
    SUITE.accesses();
    SUITE.parts();
    SUITE.scripts();
    SUITE.round_trips();
    SUITE.damage();
}

/// One whose hook changes what was written, as its reset does not know.
#[test]
#[should_panic(expected = "a script leaves something else in `count`")]
fn the_generated_tests_run_its_hook() {
    #[derive(Debug, Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 1)]
    #[bar(0: mem32, size = 0x1000)]
    struct Counter {
        #[memory(0x100..0x200, on_write = Self::count)]
        buffer: Vec<u8>,
        count: u64,
    }

    impl Device for Counter {
        type Event = ();
    }

    impl Counter {
        fn count(&mut self, _: &mut Cx<'_, Self>, _: Range<usize>) {
            self.count += 1;
        }
    }

    Suite::new(Counter::default).scripts();
}
