//! Recordings of a device: what entered it, and what left it.
//!
//! A recording is a sequence of frames, all fixed integers little-endian:
//!
//! ```text
//! recording := magic[8] format:u16=1 frame{..}
//! magic     := 89 56 46 55 52 45 43 0a                  "\x89VFUREC\n"
//! frame     := len:u32 payload[len] crc:u32             CRC32C of len and payload
//! payload   := header (of the first frame) | elapsed entry
//! ```
//!
//! Payloads are encoded by bincode with integers of variable length; `elapsed` is the time since
//! the entry before, in nanoseconds. The entries are those of [`Entry`]; the last one is
//! [`Entry::End`]. A reader checks the length of a frame before it allocates, and its CRC before it
//! decodes.

mod entry;
mod error;
mod event;
mod reader;
mod tap;
mod writer;

pub use entry::Unrecorded;
pub(crate) use entry::{Act, Call, Entry, Fault, Header, Input, Outcome, Output, RegionKind};
pub use error::RecordingError;
pub use event::{EventCodec, NotRecorded, Recordable};
pub(crate) use reader::{TapeReader, Timed};
pub(crate) use tap::Tap;
pub(crate) use writer::TapeWriter;

/// The first bytes of every recording.
pub(crate) const MAGIC: [u8; 8] = *b"\x89VFUREC\n";
/// The format that this version writes, and the only one that it reads.
pub(crate) const FORMAT: u16 = 1;
/// The maximum length of a frame's payload, in bytes.
pub(crate) const MAX_FRAME: usize = 64 << 20;
/// The maximum length of a part of the state that a device begins with, in bytes.
pub(crate) const MAX_STATE_PART: usize = 1 << 20;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_FRAME>,
>;

const CONFIG: Config = bincode::config::standard().with_limit::<MAX_FRAME>();
