//! Reading a stream as it arrives.

use super::codec::{CODEC, CODEC_1};
use super::error::StreamError;
use super::frame::{
    CHECKSUM, Content, END, FORMAT, FORMAT_1, Frame, FrameKind, HEADER, HELLO, Hello, MAGIC,
    MEMORY, Memory, crc_with,
};
use super::guest_layout::{GuestLayout, MAX_LAYOUT, MIN_LAYOUT};
use super::{MAX_MEMORY, MAX_NAME, MAX_STATE};

/// Reads a stream in pieces of any size and returns each of its frames when it has arrived and been
/// checked.
///
/// It never holds more than one frame, and no more of it than has arrived.
#[derive(Debug, Default)]
pub struct StreamReader {
    /// The received bytes of the next frame.
    pending: Vec<u8>,
    stage: Stage,
    frames: u64,
    /// Checksum of all frames so far.
    crc: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Magic,
    Hello,
    /// Memory or the state.
    State,
    /// Memory or the end.
    End,
    Done,
    Refused,
}

impl StreamReader {
    /// Creates a reader at the start of a stream.
    pub fn new() -> Self {
        StreamReader::default()
    }

    /// Takes received bytes and passes the frames that they complete to `sink`, in order.
    ///
    /// # Errors
    ///
    /// The defect of the stream, or an error of `sink`. The reader accepts nothing more then.
    pub fn push<E: From<StreamError>>(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // The reader stays in this stage if anything below fails.
        let mut stage = std::mem::replace(&mut self.stage, Stage::Refused);
        let mut pending = std::mem::take(&mut self.pending);
        while !bytes.is_empty() {
            if pending.is_empty()
                && let Some(frame) = self.whole(stage, bytes)?
            {
                stage = self.complete(stage, frame, &mut sink)?;
                bytes = &bytes[frame.len()..];
                continue;
            }
            let missing = self.wanted(stage, &pending)? - pending.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            pending.extend_from_slice(taken);
            bytes = rest;
            if self.wanted(stage, &pending)? == pending.len() {
                stage = self.complete(stage, &pending, &mut sink)?;
                pending.clear();
            }
        }
        (self.stage, self.pending) = (stage, pending);
        Ok(())
    }

    /// Checks that the stream is complete.
    ///
    /// # Errors
    ///
    /// [`StreamError::Truncated`] if some of it is missing.
    pub fn finish(&self) -> Result<(), StreamError> {
        match self.stage {
            Stage::Done => Ok(()),
            Stage::Refused => Err(StreamError::Refused),
            _ => Err(StreamError::Truncated),
        }
    }

    /// Returns the next frame, which then need not be copied, if all of it has arrived.
    fn whole<'b>(&self, stage: Stage, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, StreamError> {
        let mut wanted = self.wanted(stage, &[])?;
        if wanted < bytes.len() {
            wanted = self.wanted(stage, &bytes[..wanted])?;
        }
        Ok(bytes.get(..wanted).filter(|_| wanted > HEADER))
    }

    /// Returns the number of bytes of the frame that must have arrived before the next check;
    /// `begun` is what has arrived.
    fn wanted(&self, stage: Stage, begun: &[u8]) -> Result<usize, StreamError> {
        Ok(match stage {
            Stage::Magic => MAGIC.len(),
            Stage::Done => return Err(StreamError::TrailingBytes),
            Stage::Refused => return Err(StreamError::Refused),
            _ if begun.len() < HEADER => HEADER,
            _ => HEADER + self.header(stage, begun)?.1 + CHECKSUM,
        })
    }

    /// Returns kind and length of the frame, if the kind is allowed here and the length valid.
    fn header(&self, stage: Stage, begun: &[u8]) -> Result<(FrameKind, usize), StreamError> {
        let frame = self.frames;
        let [kind, len @ ..] = array::<HEADER>(begun);
        let len = u32::from_le_bytes(len);
        let (kind, least, most, accepted) = match kind {
            1 => (FrameKind::Hello, HELLO, HELLO + MAX_NAME, "13 to 77"),
            2 => (FrameKind::Memory, MEMORY, MEMORY + MAX_MEMORY, "10 bytes to 1 MiB"),
            3 => (FrameKind::State, 0, MAX_STATE, "up to 16 MiB"),
            4 => (FrameKind::End, END, END, "12"),
            5 => (FrameKind::Layout, MIN_LAYOUT, MAX_LAYOUT, "12 to 10252"),
            kind => return Err(StreamError::Kind { frame, kind }),
        };
        let problem = match (stage, kind) {
            (Stage::State, FrameKind::Layout) if frame == 1 => None,
            (Stage::Hello, FrameKind::Hello)
            | (Stage::State, FrameKind::State | FrameKind::Memory)
            | (Stage::End, FrameKind::End | FrameKind::Memory) => None,
            (Stage::Hello, _) => Some("the first frame says what the stream is of"),
            (Stage::State | Stage::End, FrameKind::Layout) => {
                Some("only the second frame is of the layout")
            }
            (_, FrameKind::Hello) => Some("only the first frame says what the stream is of"),
            (Stage::State, _) => Some("the state is missing"),
            (_, _) => Some("a second state"),
        };
        if let Some(problem) = problem {
            return Err(StreamError::Order { frame, problem });
        }
        let fits = usize::try_from(len).ok().filter(|len| (least..=most).contains(len));
        Ok((kind, fits.ok_or(StreamError::Length { frame, len, accepted })?))
    }

    /// Checks a frame and passes it on; returns the next stage.
    fn complete<E: From<StreamError>>(
        &mut self,
        stage: Stage,
        bytes: &[u8],
        sink: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Stage, E> {
        if stage == Stage::Magic {
            if bytes != MAGIC {
                return Err(StreamError::Magic.into());
            }
            self.crc = crc32c::crc32c_append(self.crc, bytes);
            return Ok(Stage::Hello);
        }
        let (kind, len) = self.header(stage, bytes)?;
        let (frame, checksum) = bytes.split_at(HEADER + len);
        let crc = crc32c::crc32c(frame);
        if crc.to_le_bytes() != checksum {
            return Err(StreamError::Checksum { frame: self.frames }.into());
        }
        let payload = &frame[HEADER..];
        let (frame, next) = match kind {
            FrameKind::Hello => (Frame::Hello(hello(payload)?), Stage::State),
            FrameKind::Layout => {
                GuestLayout::decode(payload, self.frames)?;
                (Frame::Layout(payload), stage)
            }
            FrameKind::Memory => (Frame::Memory(memory(payload, self.frames)?), stage),
            FrameKind::State => (Frame::State(payload), Stage::End),
            FrameKind::End => {
                self.check_end(payload)?;
                (Frame::End, Stage::Done)
            }
        };
        sink(frame)?;
        self.crc = crc_with(self.crc, &bytes[..HEADER + len], crc);
        self.frames += 1;
        Ok(next)
    }

    fn check_end(&self, payload: &[u8]) -> Result<(), StreamError> {
        let frames = u64::from_le_bytes(array(payload));
        let crc = u32::from_le_bytes(array(&payload[8..]));
        if (frames, crc) == (self.frames, self.crc) {
            return Ok(());
        }
        Err(StreamError::Incomplete { frames: self.frames })
    }
}

fn hello(payload: &[u8]) -> Result<Hello, StreamError> {
    let word = |at: usize| u16::from_le_bytes(array(&payload[at..]));
    match (word(0), word(2)) {
        (FORMAT, CODEC) | (FORMAT_1, CODEC_1) => {}
        (FORMAT | FORMAT_1, codec) => return Err(StreamError::Codec(codec)),
        (format, _) => return Err(StreamError::Format(format)),
    }
    let name = &payload[HELLO..];
    let text = str::from_utf8(name).ok().filter(|_| usize::from(payload[HELLO - 1]) == name.len());
    let malformed = StreamError::Malformed { frame: 0, problem: "the device's name is none" };
    let name = text.ok_or(malformed)?.to_owned();
    let layout = u32::from_le_bytes(array(&payload[8..]));
    Ok(Hello { name, vendor: word(4), device: word(6), layout })
}

fn memory(payload: &[u8], frame: u64) -> Result<Memory<'_>, StreamError> {
    let malformed = |problem| StreamError::Malformed { frame, problem };
    let (bar, offset) = (payload[0], u64::from_le_bytes(array(&payload[1..])));
    let content = match (payload[MEMORY - 1], &payload[MEMORY..]) {
        (0, bytes) => Content::Bytes(bytes),
        (1, len) if len.len() == 8 => Content::Zeros(u64::from_le_bytes(array(len))),
        _ => return Err(malformed("it holds neither bytes nor a run of zeros")),
    };
    let len = match content {
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::Zeros(len) => len,
    };
    if bar > 5 || offset.checked_add(len).is_none() {
        return Err(malformed("there is no such place in a BAR"));
    }
    Ok(Memory { bar, offset, content })
}

/// Returns the first bytes of a slice that is long enough.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

#[cfg(test)]
mod tests;
