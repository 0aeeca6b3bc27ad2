use proptest::prelude::*;

use super::*;
use crate::migration::StreamWriter;

/// A frame that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Hello(Hello),
    Bytes(u8, u64, Vec<u8>),
    Zeros(u8, u64, u64),
    State(Vec<u8>),
    Layout(Vec<u8>),
    End,
}

fn owned(frame: Frame<'_>) -> Owned {
    match frame {
        Frame::Hello(hello) => Owned::Hello(hello),
        Frame::State(state) => Owned::State(state.to_vec()),
        Frame::Layout(bytes) => Owned::Layout(bytes.to_vec()),
        Frame::End => Owned::End,
        Frame::Memory(Memory { bar, offset, content: Content::Bytes(bytes) }) => {
            Owned::Bytes(bar, offset, bytes.to_vec())
        }
        Frame::Memory(Memory { bar, offset, content: Content::Zeros(len) }) => {
            Owned::Zeros(bar, offset, len)
        }
    }
}

fn a_hello() -> Hello {
    Hello { name: "edu".into(), vendor: 0x1234, device: 0x11e8, layout: 0xdead_beef }
}

fn frames() -> Vec<Owned> {
    vec![
        Owned::Hello(a_hello()),
        Owned::Bytes(2, 0x1000, vec![7; 100]),
        Owned::Zeros(2, 0x2000, 1 << 40),
        Owned::State(vec![1, 2, 3]),
        Owned::Bytes(2, 0x1000, vec![8; 3]),
        Owned::End,
    ]
}

fn stream() -> Vec<u8> {
    let mut writer = StreamWriter::new(&a_hello());
    let memory = |offset, content| Memory { bar: 2, offset, content };
    writer.memory(&memory(0x1000, Content::Bytes(&[7; 100])));
    writer.memory(&memory(0x2000, Content::Zeros(1 << 40)));
    writer.state(&[1, 2, 3]);
    writer.memory(&memory(0x1000, Content::Bytes(&[8; 3])));
    writer.end();
    writer.take()
}

fn read(pieces: &[&[u8]]) -> Result<Vec<Owned>, StreamError> {
    let (mut reader, mut frames) = (StreamReader::new(), Vec::new());
    for piece in pieces {
        reader.push(piece, |frame| {
            frames.push(owned(frame));
            Ok::<_, StreamError>(())
        })?;
    }
    reader.finish().map(|()| frames)
}

/// Where the frames of a stream start, and where it ends.
fn starts(stream: &[u8]) -> Vec<usize> {
    let mut starts = vec![MAGIC.len()];
    while let Some(at) = starts.last().copied().filter(|at| *at < stream.len()) {
        let len = u32::from_le_bytes(array(&stream[at + 1..])) as usize;
        starts.push(at + HEADER + len + CHECKSUM);
    }
    starts
}

/// Makes the checksums right again.
fn reseal(stream: &mut [u8]) {
    for window in starts(stream).windows(2) {
        let crc = window[1] - CHECKSUM;
        let right = crc32c::crc32c(&stream[window[0]..crc]).to_le_bytes();
        stream[crc..window[1]].copy_from_slice(&right);
    }
}

#[test]
fn frames_arrive_in_any_pieces() {
    let stream = stream();
    assert_eq!(read(&[&stream]), Ok(frames()));
    for size in 1..stream.len() {
        let pieces: Vec<_> = stream.chunks(size).collect();
        assert_eq!(read(&pieces), Ok(frames()), "pieces of {size} bytes");
    }
}

#[test]
fn large_memory_is_cut_into_frames() {
    let bytes = vec![5; MAX_MEMORY + 1];
    let mut writer = StreamWriter::new(&a_hello());
    writer.memory(&Memory { bar: 0, offset: 0x10, content: Content::Bytes(&bytes) });
    writer.state(&[]);
    writer.end();
    let frames = read(&[&writer.take()]).unwrap();
    let [_, Owned::Bytes(0, 0x10, first), Owned::Bytes(0, second, last), ..] = &frames[..] else {
        panic!("{} frames", frames.len())
    };
    assert_eq!((first.len(), *second, last.len()), (MAX_MEMORY, 0x10_0010, 1));
}

#[test]
fn a_part_of_a_stream_is_refused() {
    let stream = stream();
    for len in 0..stream.len() {
        assert_eq!(read(&[&stream[..len]]), Err(StreamError::Truncated), "{len} bytes");
    }
    assert_eq!(read(&[&stream, &[0]]), Err(StreamError::TrailingBytes));
}

#[test]
fn every_flipped_bit_is_refused() {
    let stream = stream();
    for bit in 0..stream.len() * 8 {
        let mut stream = stream.clone();
        stream[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&[&stream]).is_err(), "bit {bit}");
    }
}

#[test]
fn a_lost_frame_and_a_repeated_one_are_noticed() {
    let stream = stream();
    let starts = starts(&stream);
    let without = [&stream[..starts[1]], &stream[starts[2]..]].concat();
    let repeated = [&stream[..starts[2]], &stream[starts[1]..]].concat();
    assert_eq!(read(&[&without]), Err(StreamError::Incomplete { frames: 4 }));
    assert_eq!(read(&[&repeated]), Err(StreamError::Incomplete { frames: 6 }));
}

#[test]
fn frames_have_an_order() {
    let stream = stream();
    let starts = starts(&stream);
    let frame = |place: usize| &stream[starts[place]..starts[place + 1]];
    let of = |places: &[usize]| {
        let mut pieces = vec![&MAGIC[..]];
        pieces.extend(places.iter().map(|place| frame(*place)));
        match read(&pieces) {
            Err(StreamError::Order { frame, problem }) => (frame, problem),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of(&[1]), (0, "the first frame says what the stream is of"));
    assert_eq!(of(&[0, 0]), (1, "only the first frame says what the stream is of"));
    assert_eq!(of(&[0, 1, 5]), (2, "the state is missing"));
    assert_eq!(of(&[0, 3, 3]), (2, "a second state"));
}

#[test]
fn what_is_wrong_is_reported_before_it_arrives() {
    let refused = |bytes: &[u8]| {
        let mut reader = StreamReader::new();
        reader.push(bytes, |_| Ok::<_, StreamError>(())).unwrap_err()
    };
    let hello = &stream()[..starts(&stream())[1]];
    let then = |bytes: &[u8]| refused(&[hello, bytes].concat());
    assert_eq!(refused(b"\x89DEVST\n\n"), StreamError::Magic);
    assert_eq!(then(&[9, 0, 0, 0, 0]), StreamError::Kind { frame: 1, kind: 9 });
    let state = StreamError::Length { frame: 1, len: u32::MAX, accepted: "up to 16 MiB" };
    assert_eq!(then(&[3, 255, 255, 255, 255]), state);
    let memory = StreamError::Length { frame: 1, len: 9, accepted: "10 bytes to 1 MiB" };
    assert_eq!(then(&[2, 9, 0, 0, 0]), memory);
}

#[test]
fn other_formats_and_codecs_are_named() {
    let changed = |at: usize, to: u8| {
        let mut stream = stream();
        stream[MAGIC.len() + HEADER + at] = to;
        reseal(&mut stream);
        read(&[&stream]).unwrap_err()
    };
    assert_eq!(changed(0, 3), StreamError::Format(3));
    assert_eq!(changed(0, 1), StreamError::Codec(2), "of another format");
    assert_eq!(changed(2, 7), StreamError::Codec(7));
    let problem = "the device's name is none";
    assert_eq!(changed(12, 4), StreamError::Malformed { frame: 0, problem });
    assert_eq!(changed(13, 0xff), StreamError::Malformed { frame: 0, problem });
}

#[test]
fn a_refused_stream_stays_refused() {
    let (stream, mut reader) = (stream(), StreamReader::new());
    let mut push = |bytes: &[u8]| reader.push(bytes, |_| Ok::<_, StreamError>(()));
    push(&stream[..20]).unwrap();
    assert_eq!(push(&[0; 100]), Err(StreamError::Checksum { frame: 0 }));
    assert_eq!(push(&stream[20..]), Err(StreamError::Refused));
    assert_eq!(reader.finish(), Err(StreamError::Refused));
}

proptest! {
    #[test]
    fn anything_may_follow_the_magic(bytes: Vec<u8>) {
        let _ = read(&[&MAGIC, &bytes]);
    }

    #[test]
    fn damage_may_be_sealed(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut stream = stream();
        let starts = starts(&stream);
        for (at, byte) in damage {
            // Lengths stay, so that there is something to seal.
            let at = at % stream.len();
            if !starts.iter().any(|start| (*start..*start + HEADER).contains(&at)) {
                stream[at] = byte;
            }
        }
        reseal(&mut stream);
        let _ = read(&[&stream]);
    }
}

#[test]
fn only_the_second_frame_is_of_the_layout() {
    use crate::migration::{GuestLayout, RomImage, Word};
    let rom = Some(RomImage { size: 0x1000, digest: 7 });
    let layout = GuestLayout { words: vec![Word { offset: 0x40, fixed: 5, can: 6 }], rom };
    let mut writer = StreamWriter::new(&a_hello());
    writer.layout(&layout);
    writer.state(&[1]);
    writer.end();
    let frames = read(&[&writer.take()]).unwrap();
    let [_, Owned::Layout(bytes), Owned::State(_), Owned::End] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!(GuestLayout::decode(bytes, 1), Ok(layout.clone()));
    for len in 0..bytes.len() {
        assert_eq!(GuestLayout::decode(&bytes[..len], 1).is_ok(), len == 12, "{len} bytes");
    }
    let mut late = StreamWriter::new(&a_hello());
    late.memory(&Memory { bar: 0, offset: 0, content: Content::Zeros(1) });
    late.layout(&layout);
    let problem = "only the second frame is of the layout";
    assert_eq!(read(&[&late.take()]), Err(StreamError::Order { frame: 2, problem }));
}
