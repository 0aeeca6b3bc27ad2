//! Frames and their encoding.

use super::codec::CODEC;
use super::guest_layout::GuestLayout;
use super::{MAX_MEMORY, MAX_NAME, MAX_STATE};

pub(super) const MAGIC: [u8; 8] = *b"\x89DEVST\r\n";
/// Length of a frame's kind and length.
pub(super) const HEADER: usize = 5;
pub(super) const CHECKSUM: usize = 4;
/// The format that is written.
pub(crate) const FORMAT: u16 = 2;
/// The older format, which can still be read.
pub(super) const FORMAT_1: u16 = 1;
/// Length of a hello frame before the device's name.
pub(super) const HELLO: usize = 13;
/// Length of a memory frame before the bytes, or before the length of a run of zeros.
pub(super) const MEMORY: usize = 10;
pub(super) const END: usize = 12;

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Hello = 1,
    Memory = 2,
    State = 3,
    End = 4,
    Layout = 5,
}

/// A frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// The device of the state.
    Hello(Hello),
    /// The layout that a guest sees and that cannot change. A stream of format 2 may have it as its
    /// second frame.
    Layout(&'a [u8]),
    /// A part of a shared BAR.
    Memory(Memory<'a>),
    /// The sections of the state; see [`sections`](super::sections).
    State(&'a [u8]),
    /// The end of the stream.
    End,
}

/// The device of a stream. It is compared, never loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The device's name; a stream carries its first 64 bytes.
    pub name: String,
    /// PCI vendor id.
    pub vendor: u16,
    /// PCI device id.
    pub device: u16,
    /// A digest of everything that cannot change under a guest: ids, BARs, capabilities, vectors.
    pub layout: u32,
}

/// A part of a shared BAR. A later part overwrites an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory<'a> {
    /// The BAR, 0 to 5.
    pub bar: u8,
    /// Offset in the BAR, in bytes.
    pub offset: u64,
    /// Content of the part.
    pub content: Content<'a>,
}

/// The content of a part of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// These bytes, at most [`MAX_MEMORY`](super::MAX_MEMORY).
    Bytes(&'a [u8]),
    /// This many zeros.
    Zeros(u64),
}

/// Minimum length for combining checksums, in bytes. Combining takes as long as a checksum of some
/// 100 KiB, whatever the length.
const LONG: usize = 256 << 10;

/// Writes a stream, to be read piece by piece.
///
/// ```
/// use vfio_user::migration::{Hello, StreamReader, StreamWriter};
///
/// let hello = Hello { name: "edu".into(), vendor: 0x1234, device: 0x11e8, layout: 0 };
/// let mut writer = StreamWriter::new(&hello);
/// writer.state(&[]);
/// writer.end();
/// let mut reader = StreamReader::new();
/// reader.push(&writer.take(), |_| Ok(()))?;
/// reader.finish()?;
/// # Ok::<(), vfio_user::migration::StreamError>(())
/// ```
#[derive(Debug)]
pub struct StreamWriter {
    out: Vec<u8>,
    /// Checksum of everything written.
    crc: u32,
    frames: u64,
}

impl StreamWriter {
    /// Starts a stream.
    pub fn new(hello: &Hello) -> Self {
        let mut writer =
            StreamWriter { out: MAGIC.to_vec(), crc: crc32c::crc32c(&MAGIC), frames: 0 };
        let Hello { name, vendor, device, layout } = hello;
        let name = cut(name);
        // The name was cut to fit.
        let len = u8::try_from(name.len()).unwrap_or(0);
        let mut payload = Vec::with_capacity(HELLO + name.len());
        for word in [FORMAT, CODEC, *vendor, *device] {
            payload.extend(word.to_le_bytes());
        }
        payload.extend(layout.to_le_bytes());
        payload.push(len);
        payload.extend(name.as_bytes());
        writer.frame(FrameKind::Hello, &[&payload]);
        writer
    }

    /// Adds the layout that a guest sees, before everything else.
    pub(crate) fn layout(&mut self, layout: &GuestLayout) {
        self.frame(FrameKind::Layout, &[&layout.encode()]);
    }

    /// Adds a part of a BAR; runs of zeros take no space.
    pub fn memory(&mut self, memory: &Memory<'_>) {
        let Memory { bar, offset, content } = *memory;
        match content {
            Content::Bytes(bytes) => {
                for (place, bytes) in (0..).zip(bytes.chunks(MAX_MEMORY)) {
                    let offset = offset + place * MAX_MEMORY as u64;
                    self.frame(FrameKind::Memory, &[&[bar], &offset.to_le_bytes(), &[0], bytes]);
                }
            }
            Content::Zeros(len) => {
                let parts: [&[u8]; 4] = [&[bar], &offset.to_le_bytes(), &[1], &len.to_le_bytes()];
                self.frame(FrameKind::Memory, &parts);
            }
        }
    }

    /// Adds the state: the sections as a device writes them.
    ///
    /// # Panics
    ///
    /// If it is larger than [`MAX_STATE`](super::MAX_STATE).
    pub fn state(&mut self, sections: &[u8]) {
        assert!(sections.len() <= MAX_STATE, "a state of {} bytes is too large", sections.len());
        self.frame(FrameKind::State, &[sections]);
    }

    /// Ends the stream.
    pub fn end(&mut self) {
        let (frames, crc) = (self.frames.to_le_bytes(), self.crc.to_le_bytes());
        self.frame(FrameKind::End, &[&frames, &crc]);
    }

    /// Returns the number of bytes written since [`take`](Self::take) was called.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Moves the written bytes into `buffer`, and writes to its allocation from now on.
    pub(crate) fn exchange(&mut self, buffer: &mut Vec<u8>) {
        buffer.clear();
        std::mem::swap(&mut self.out, buffer);
    }

    /// Returns the bytes written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn frame(&mut self, kind: FrameKind, parts: &[&[u8]]) {
        let start = self.out.len();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let len = u32::try_from(len).expect("a frame is no larger than a state");
        self.out.reserve(HEADER + len as usize + CHECKSUM);
        self.out.push(kind as u8);
        self.out.extend(len.to_le_bytes());
        for part in parts {
            self.out.extend_from_slice(part);
        }
        let frame = &self.out[start..];
        let crc = crc32c::crc32c(frame);
        self.crc = crc_with(self.crc, frame, crc);
        self.out.extend(crc.to_le_bytes());
        self.frames += 1;
    }
}

/// Returns the checksum of everything up to and with a frame and its checksum, `crc`. A long frame
/// is not read a second time.
pub(super) fn crc_with(before: u32, frame: &[u8], crc: u32) -> u32 {
    let with_frame = if frame.len() > LONG {
        crc32c::crc32c_combine(before, crc, frame.len())
    } else {
        crc32c::crc32c_append(before, frame)
    };
    crc32c::crc32c_append(with_frame, &crc.to_le_bytes())
}

/// Returns the part of a name that a stream carries.
pub(crate) fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
