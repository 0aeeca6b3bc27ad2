//! The state of a device as a stream.
//!
//! VFIO carries the stream of a migration without looking inside, in pieces of any size. So the
//! stream itself identifies its device, the versions that can read it, and whether it is complete.
//! It is a sequence of frames, all integers little-endian:
//!
//! ```text
//! stream  := magic[8] frame{..}
//! magic   := 89 44 45 56 53 54 0d 0a                    "\x89DEVST\r\n"
//! frame   := kind:u8 len:u32 payload[len] crc:u32       CRC32C of kind, len and payload
//! hello   := format:u16=2 codec:u16=2 vendor:u16 device:u16 layout:u32 name_len:u8 name
//! memory  := bar:u8 offset:u64 kind:u8 (0: bytes | 1: len:u64 of a run of zeros)
//! state   := section{..}
//! end     := frames:u64 crc:u32                         frames and CRC32C of all before this one
//! section := id_len:u8 id version:u16 min_reader:u16 flags:u16 fields:u16 len:u32 field{..}
//! field   := name_len:u8 name flags:u8 len:u32 type value
//! type    := 0 len bytes | 1 + place of an earlier field of this section that has the same
//! ```
//!
//! One hello comes first and one end last; in between, any number of memory frames, and one state.
//! Bit 0 of the flags of a section or a field is set if a reader without it has to refuse the
//! stream. Bit 1 of the flags of a section is set if its fields have types. In format 1, which can
//! still be read, fields have no types, and values are encoded differently.
//!
//! A type gives the names of fields and variants once, however many values there are; values are
//! numbers and texts in the order of their type. A reader compares the type with its own.
//!
//! The CRCs detect accidents, not attacks: a writer of the stream controls the state of the device,
//! within the limits that the device accepts.

mod codec;
mod error;
mod frame;
mod guest_layout;
mod layout;
mod layout_difference;
mod machine;
mod old;
mod printable;
mod reader;
mod section;
mod state;
mod value_io;

pub use codec::ValueError;
pub(crate) use codec::{Plain, Shape};
pub use error::{DeviceName, SectionProblem, StateError, StreamError, ValueProblem};
pub use frame::{Content, Frame, Hello, Memory, StreamWriter};
pub(crate) use frame::{FORMAT, cut};
pub(crate) use guest_layout::{GuestLayout, RomImage, Word, differences};
pub use layout::{Part, StateField, StateLayout};
pub(crate) use layout::{is_removed, parts};
pub use layout_difference::LayoutDifference;
pub use machine::next;
pub use old::OldState;
pub use reader::StreamReader;
pub use section::{Field, FieldsWriter, Section, SectionsWriter, sections};
pub(crate) use state::NO_NAMES;
pub use state::{Exchange, ExchangeAll, Migrated, StateReader, StateWriter, WireType};
pub use value_io::{ListIo, ValueIo, Written};

/// The largest state frame, in bytes.
pub const MAX_STATE: usize = 16 << 20;
/// The most that a memory frame carries, in bytes.
pub const MAX_MEMORY: usize = 1 << 20;
/// The most sections of a state.
pub const MAX_SECTIONS: usize = 256;
/// The most fields of a section.
pub const MAX_FIELDS: usize = 4096;
/// The longest id of a section, and the longest name of a field, in bytes.
pub const MAX_NAME: usize = 64;

/// Whether a section or a field can have this name: letters, digits, `_` and `.`, in ASCII.
pub(crate) const fn is_name(name: &[u8]) -> bool {
    let mut i = 0;
    while i < name.len() {
        if !(name[i].is_ascii_alphanumeric() || matches!(name[i], b'_' | b'.')) {
            return false;
        }
        i += 1;
    }
    !name.is_empty() && name.len() <= MAX_NAME
}
