//! Shared memory on its way: what was never touched costs nothing, here and there.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use vfio_user::function::{Function as _, Migrate as _};
use vfio_user::migration::{
    Content, Frame, Hello, Memory, StreamError, StreamReader, StreamWriter,
};
use vfio_user::protocol::MigrationState::{PreCopy, Resuming, Running, Stop, StopCopy};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Device, PciDevice};

const SIZE: u64 = 1 << 30;
const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem64, size = SIZE, shared)]
struct Sparse {}

impl Device for Sparse {
    type Event = ();
}

fn sparse() -> Bench<Sparse> {
    Bench::new(Sparse::default()).unwrap()
}

/// How many pages the file behind the memory has.
fn pages(bench: &Bench<Sparse>) -> u64 {
    let mapping = bench.function().region(RegionIndex::Bar0).mapping.unwrap();
    let file = File::from(mapping.file.as_fd().try_clone_to_owned().unwrap());
    file.metadata().unwrap().blocks() * 512 / PAGE
}

#[test]
fn memory_with_a_page_here_and_there_stays_as_small_as_it_is() {
    let (mut source, mut target) = (sparse(), sparse());
    let places = (0..SIZE).step_by(usize::try_from(16 * MIB).unwrap());
    let places: Vec<_> = places.map(|place| place + 5 * PAGE).collect();
    for (place, number) in places.iter().zip(1_u64..) {
        source.shared(0).store(*place, number).unwrap();
        // What is there already, and has to be kept until the state is accepted.
        target.shared(0).store(*place + 2 * PAGE, u64::MAX - number).unwrap();
    }
    let count = places.len() as u64;
    let stream = source.save();
    assert_eq!((pages(&source), source.save().len()), (count, stream.len()));
    assert!(stream.len() as u64 <= count * (PAGE + 256), "{}", stream.len());

    let damaged = &stream[..stream.len() - 1];
    assert!(target.load(damaged).is_err());
    assert!(pages(&target) <= 2 * count, "{}", pages(&target));
    for (place, number) in places.iter().zip(1_u64..) {
        assert_eq!(target.shared(0).load(*place + 2 * PAGE), Ok(u64::MAX - number));
    }

    target.load(&stream).unwrap();
    assert!(pages(&target) <= 2 * count, "{}", pages(&target));
    for (place, number) in places.iter().zip(1_u64..) {
        assert_eq!(target.shared(0).load(*place), Ok(number));
        assert_eq!(target.shared(0).load(*place + 2 * PAGE), Ok(0_u64));
    }
}

/// How much there is to be read now.
fn rest<D: PciDevice>(bench: &mut Bench<D>) -> Vec<u8> {
    let (mut stream, mut piece) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        match bench.function_mut().read_state(&mut piece).unwrap() {
            0 => return stream,
            read => stream.extend_from_slice(&piece[..read]),
        }
    }
}

/// Stops the device: what was estimated for that, and what it was.
fn estimated(bench: &mut Bench<Sparse>) -> (u64, u64) {
    let before = bench.function().state_size();
    bench.function_mut().migrate(StopCopy).unwrap();
    let stopped = bench.function().state_size();
    let actual = rest(bench).len() as u64;
    assert_eq!(bench.function().state_size(), 0, "all has been read");
    assert!(stopped <= actual + actual / 4 + PAGE, "{stopped} of {actual}");
    assert!(before.abs_diff(stopped) <= actual / 4 + PAGE, "{before}, then {stopped}");
    (before, actual)
}

/// Estimates are exact, but for the frames around what is sent, up to 16 MiB of data, and good to a
/// quarter beyond that.
#[track_caller]
fn assert_estimated(bench: &mut Bench<Sparse>, is_exact: bool, what: &str) {
    let (estimate, actual) = estimated(bench);
    let slack = if is_exact { actual / 100 } else { actual / 4 } + PAGE;
    assert!(estimate.abs_diff(actual) <= slack, "{what}: {estimate} of {actual} bytes");
}

/// Fills a range with what is no zero.
fn fill(bench: &Bench<Sparse>, start: u64, bytes: u64, seed: u8) {
    bench.shared(0).fill(start..start + bytes, seed).unwrap();
}

#[test]
fn the_size_of_what_is_left_is_estimated_before_anything_was_sent() {
    for (pages, apart, is_exact) in [
        (0, 1, true),
        (1, 1, true),
        (64, 4001, true),
        (4096, 1, true),
        (3000, 77, false),
        (6144, 1, false),
    ] {
        let mut bench = sparse();
        for page in 0..pages {
            bench.shared(0).store(page * apart * PAGE, 1 + page).unwrap();
        }
        // Pages that are there and zero cost nothing.
        bench.shared(0).fill(SIZE - 8 * PAGE..SIZE, 0).unwrap();
        assert_estimated(&mut bench, is_exact, &format!("{pages} pages, every {apart}"));
    }
}

#[test]
fn what_was_sent_ahead_is_not_left() {
    for (data, dirty, is_exact) in
        [(8 * MIB, 0, true), (8 * MIB, 300, true), (24 * MIB, 2000, false)]
    {
        let mut bench = sparse();
        fill(&bench, 3 * MIB, data, 7);
        let full = bench.function().state_size();
        bench.function_mut().migrate(PreCopy).unwrap();
        assert!(full >= data && full <= data + data / 50 + PAGE, "{full}");
        rest(&mut bench);
        let left = bench.function().state_size();
        assert!(left < 2 * PAGE, "nothing has changed: {left}");
        for page in 0..dirty {
            let place = (page * 2_654_435_761_u64) % (data / PAGE);
            bench.shared(0).store(3 * MIB + place * PAGE, page + 0x100).unwrap();
        }
        assert_estimated(&mut bench, is_exact, &format!("{dirty} pages of {data} bytes"));
        // The device runs on, and all is to be sent again.
        bench.function_mut().migrate(Running).unwrap();
        assert!(bench.function().state_size() >= data);
    }
}

#[test]
fn what_is_left_gets_less_as_it_is_read() {
    let mut bench = sparse();
    fill(&bench, 0, 12 * MIB, 9);
    bench.function_mut().migrate(StopCopy).unwrap();
    let (mut piece, mut read) = (vec![0; 1 << 20], 0);
    let all = bench.function().state_size();
    loop {
        let left = bench.function().state_size();
        assert!((left + read).abs_diff(all) <= all / 50 + PAGE, "{left} after {read} of {all}");
        match bench.function_mut().read_state(&mut piece).unwrap() {
            0 => break,
            some => read += some as u64,
        }
    }
    assert_eq!(bench.function().state_size(), 0);
}

/// A device whose state takes long to be written.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Slow {
    #[migrate(with = slow)]
    state: u32,
}

impl Device for Slow {
    type Event = ();
}

mod slow {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    pub(super) static WRITTEN: AtomicU32 = AtomicU32::new(0);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as the attribute has it")]
    pub(super) fn save(state: &u32) -> u32 {
        WRITTEN.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(50));
        *state
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the attribute has it")]
    pub(super) fn load(state: u32) -> Result<u32, String> {
        Ok(state)
    }
}

#[test]
fn the_state_is_not_written_for_every_question_of_its_size() {
    let mut bench = Bench::new(Slow::default()).unwrap();
    let sizes: Vec<_> = (0..1000).map(|_| bench.function().state_size()).collect();
    let questions = slow::WRITTEN.load(std::sync::atomic::Ordering::Relaxed);
    assert!(questions <= 20, "{questions} times for 1000 questions");
    bench.function_mut().migrate(StopCopy).unwrap();
    let actual = rest(&mut bench).len() as u64;
    assert!(sizes.iter().all(|size| size.abs_diff(actual) < 200), "{} of {actual}", sizes[0]);
}

/// A BAR that no host could hold.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem64, size = 0x100_0000_0000, shared)]
struct Huge {}

impl Device for Huge {
    type Event = ();
}

/// What a stream is of, and its state.
fn parts(stream: &[u8]) -> (Hello, Vec<u8>) {
    let (mut hello, mut state) = (None, Vec::new());
    let taken = StreamReader::new().push(stream, |frame| {
        match frame {
            Frame::Hello(of) => hello = Some(of),
            Frame::State(sections) => state = sections.to_vec(),
            _ => {}
        }
        Ok::<_, StreamError>(())
    });
    taken.unwrap();
    (hello.unwrap(), state)
}

/// A stream with these parts of memory.
fn stream(of: &[u8], memory: &[(u64, Content<'_>)], is_whole: bool) -> Vec<u8> {
    let (hello, state) = parts(of);
    let mut writer = StreamWriter::new(&hello);
    for (offset, content) in memory {
        writer.memory(&Memory { bar: 0, offset: *offset, content: *content });
    }
    if is_whole {
        writer.state(&state);
        writer.end();
    }
    writer.take()
}

/// Half a terabyte of zeros, thirty thousand times, between single bytes: a page of work each.
#[test]
fn a_run_of_zeros_costs_what_the_file_holds() {
    const HALF: u64 = 0x80_0000_0000;
    let mut target = Bench::new(Huge::default()).unwrap();
    let of = target.save();
    target.shared(0).store(HALF + 8, 5_u64).unwrap();
    target.shared(0).store(16, 6_u64).unwrap();
    let frames: Vec<_> = (0..30_000)
        .flat_map(|number: u64| {
            let start = number % 3 * (HALF / 3);
            let byte = start + (number * 0x1_0001_3000) % HALF;
            [(byte, Content::Bytes(&[1])), (start, Content::Zeros(HALF))]
        })
        .collect();
    assert!(target.load(&stream(&of, &frames, false)).is_err());
    assert_eq!(target.shared(0).load(HALF + 8), Ok(5_u64));
    assert_eq!(target.shared(0).load(16), Ok(6_u64));
    target.load(&stream(&of, &frames, true)).unwrap();
    assert_eq!(target.shared(0).load(16), Ok(0_u64));
    assert_eq!(target.shared(0).load(HALF + 8), Ok(0_u64));
}

/// Frames of any place and size, on memory of any content: taken in order, or taken back.
#[test]
fn frames_replace_each_other_and_are_taken_back() {
    const LEN: u64 = 40 * PAGE;
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..60 {
        let mut target = sparse();
        let of = target.save();
        for _ in 0..random(12) {
            let (start, len) = (random(LEN - PAGE), random(2 * PAGE).min(PAGE));
            fill(&target, start, len, 0x55);
        }
        let mut before = vec![0; usize::try_from(LEN).unwrap()];
        target.shared(0).read(0, &mut before).unwrap();
        let (bytes, mut expected) = (vec![0xaa; 3 << 12], before.clone());
        let mut frames = Vec::new();
        for _ in 0..random(30) {
            let (start, len) = (random(LEN - 3 * PAGE), random(3 * PAGE));
            let (is_zero, is_long) = (random(2) == 0, random(4) == 0);
            let len = if is_zero && is_long { LEN - start } else { len };
            let (from, size) = (usize::try_from(start).unwrap(), usize::try_from(len).unwrap());
            let content =
                if is_zero { Content::Zeros(len) } else { Content::Bytes(&bytes[..size]) };
            expected[from..from + size].fill(if is_zero { 0 } else { 0xaa });
            frames.push((start, content));
        }
        let mut found = vec![0; before.len()];
        assert!(target.load(&stream(&of, &frames, false)).is_err());
        target.shared(0).read(0, &mut found).unwrap();
        assert!(found == before, "taken back, round {round}");
        target.load(&stream(&of, &frames, true)).unwrap();
        target.shared(0).read(0, &mut found).unwrap();
        assert!(found == expected, "taken, round {round}");
    }
}

/// A frame of 27 bytes may cover a BAR full of data: that is kept and cleared a slice at a time,
/// between which a server serves others.
#[test]
fn zeros_over_much_data_are_written_in_slices() {
    const DATA: u64 = 64 * MIB;
    let stream = sparse().save();
    for accepted in [true, false] {
        let mut target = sparse();
        fill(&target, 3 * MIB, DATA, 7);
        let function = target.function_mut();
        function.migrate(Stop).unwrap();
        function.migrate(Resuming).unwrap();
        let sent = if accepted { &stream[..] } else { &stream[..stream.len() - 1] };
        function.write_state(sent).unwrap();
        let mut slices = 1;
        while function.continue_state().unwrap() {
            slices += 1;
        }
        assert!((8..=64).contains(&slices), "{slices} slices for {DATA} bytes");
        assert_eq!(function.migrate(Stop).is_ok(), accepted);
        let mut slices = 1;
        while function.continue_state().unwrap() {
            slices += 1;
        }
        let expected = if accepted { 1..=1 } else { 8..=64 };
        assert!(expected.contains(&slices), "{slices} slices to restore {DATA} bytes");
        let word = if accepted { 0 } else { 0x0707_0707_u32 };
        for place in (3 * MIB..3 * MIB + DATA).step_by(4096 + 4) {
            assert_eq!(target.shared(0).load(place), Ok(word), "{place:#x}");
        }
    }
}

/// Bytes that follow zeros which are not written yet.
#[test]
fn bytes_over_zeros_that_wait_stay() {
    let mut source = sparse();
    fill(&source, 0, 8 * MIB, 7);
    source.function_mut().migrate(PreCopy).unwrap();
    let mut stream = rest(&mut source);
    // Another round: a hole where there was data, and a word in it.
    source.shared(0).fill(0..8 * MIB, 0).unwrap();
    source.shared(0).store(4 * MIB + 8, 0x1234_5678_u32).unwrap();
    source.function_mut().migrate(StopCopy).unwrap();
    stream.extend(rest(&mut source));
    for piece in [stream.len(), 1 << 20, 999] {
        let mut target = sparse();
        fill(&target, 0, 16 * MIB, 9);
        let function = target.function_mut();
        function.migrate(Stop).unwrap();
        function.migrate(Resuming).unwrap();
        for piece in stream.chunks(piece) {
            // One slice alone, as if others came meanwhile.
            function.write_state(piece).unwrap();
            function.continue_state().unwrap();
        }
        function.migrate(Stop).unwrap();
        assert_eq!(target.shared(0).load(4 * MIB + 8), Ok(0x1234_5678_u32));
        for place in (0..16 * MIB).step_by(4096 - 8) {
            assert_eq!(target.shared(0).load(place), Ok(0_u32), "{place:#x}");
        }
    }
}
