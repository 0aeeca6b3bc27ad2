//! Errors of streams and states.

use std::fmt;

use super::codec::ValueError;
use super::layout_difference::LayoutDifference;
use super::printable::printable;
use super::{MAX_FIELDS, MAX_NAME, MAX_SECTIONS, MAX_STATE};

/// A defect of a stream of state, found before the state is interpreted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The stream does not start with the magic.
    #[error("this is no stream of device state, or it has been changed on its way")]
    Magic,
    /// The stream has an unknown format.
    #[error("the format of the stream is {0}; formats 1 and 2 are accepted")]
    Format(u16),
    /// The stream has another codec than its format.
    #[error("the codec of the stream is {0}; the codec of its format is accepted")]
    Codec(u16),
    /// A frame has an unknown kind.
    #[error("frame {frame} is of unknown kind {kind}")]
    Kind {
        /// Index of the frame, from 0.
        frame: u64,
        /// Kind of the frame.
        kind: u8,
    },
    /// A frame is larger or smaller than its kind can be.
    #[error("frame {frame} has {len} bytes; {accepted} are accepted")]
    Length {
        /// Index of the frame, from 0.
        frame: u64,
        /// Length in its header.
        len: u32,
        /// The accepted lengths.
        accepted: &'static str,
    },
    /// A frame has been damaged.
    #[error("frame {frame} has been damaged: its checksum does not match")]
    Checksum {
        /// Index of the frame, from 0.
        frame: u64,
    },
    /// A frame is not allowed at its position.
    #[error("frame {frame} is out of order: {problem}")]
    Order {
        /// Index of the frame, from 0.
        frame: u64,
        /// The problem.
        problem: &'static str,
    },
    /// A frame has malformed content.
    #[error("frame {frame} is malformed: {problem}")]
    Malformed {
        /// Index of the frame, from 0.
        frame: u64,
        /// The problem.
        problem: &'static str,
    },
    /// Frames are missing.
    #[error("the stream ends with {frames} frames, which are not those that were sent")]
    Incomplete {
        /// Number of frames received.
        frames: u64,
    },
    /// The stream ends in the middle.
    #[error("the stream ends early")]
    Truncated,
    /// Bytes follow the end of the stream.
    #[error("something follows the end of the stream")]
    TrailingBytes,
    /// The stream had an error before.
    #[error("the stream was refused before")]
    Refused,
    /// The state does not consist of sections.
    #[error("section {section} is malformed: {problem}")]
    Section {
        /// Index of the section, from 0.
        section: usize,
        /// The problem.
        problem: SectionProblem,
    },
}

/// A defect of a section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionProblem {
    /// The section is longer than the remaining bytes.
    #[error("it ends early")]
    Truncated,
    /// The fields do not fill the section.
    #[error("its fields do not fill it")]
    Filling,
    /// An id or a name is not valid.
    #[error("names have 1 to {MAX_NAME} letters, digits, `_` and `.`")]
    Name,
    /// A flag is not defined.
    #[error("unknown flags {0:#x}")]
    Flags(u16),
    /// A field's type is malformed.
    #[error("the type of a field is malformed")]
    Type,
    /// The section has too many fields.
    #[error("{0} fields; at most {MAX_FIELDS} are accepted")]
    Fields(u16),
    /// The state has too many sections.
    #[error("at most {MAX_SECTIONS} sections are accepted")]
    Sections,
    /// Another section has the same id.
    #[error("a second section `{0}`")]
    Duplicate(String),
}

/// The reason why a state cannot be saved or loaded. A device that refuses a state keeps its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The stream has a defect.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The device is declared with `#[migrate(none)]`.
    #[error("device `{0}` does not migrate")]
    NotMigratable(&'static str),
    /// The device holds memory of its client for too long, so it does not stop.
    #[error("the device holds memory of its client, and has not released it within four seconds")]
    MemoryHeld,
    /// The stream is of another device.
    #[error("the state is of device {theirs}; this is {ours}")]
    Device {
        /// The device in the stream.
        theirs: DeviceName,
        /// The device that loads it.
        ours: DeviceName,
    },
    /// The layout that the guest sees would change, according to the stream.
    #[error("the state is of a device with another layout: {}", listed(.0))]
    LayoutDiffers(Vec<LayoutDifference>),
    /// The layout that the guest sees would change: other BARs, capabilities or vectors. An older
    /// stream does not say which.
    #[error("the state is of a device with other BARs, capabilities or interrupts")]
    Layout,
    /// The state needs a newer version.
    #[error("section `{section}` needs version {needs} to be understood; this is version {ours}")]
    TooNew {
        /// Section of the state.
        section: String,
        /// Version that is needed.
        needs: u16,
        /// Version of the device.
        ours: u16,
    },
    /// The state is older than the oldest version that can be loaded.
    #[error("section `{section}` is of version {version}; {min} is the oldest that is accepted")]
    TooOld {
        /// Section of the state.
        section: String,
        /// Version of the section.
        version: u16,
        /// The oldest accepted version.
        min: u16,
    },
    /// A required section is missing.
    #[error("section `{0}` is missing")]
    MissingSection(String),
    /// This version does not have a critical section of the state.
    #[error("the state has a section that this version does not know: `{0}`")]
    UnknownSection(String),
    /// A required field is missing.
    #[error("required field `{field}` of section `{section}` is missing")]
    MissingField {
        /// Section of the state.
        section: String,
        /// Field of the section.
        field: String,
    },
    /// This version does not have a critical field of the state.
    #[error("section `{section}` carries state that this version does not know: field `{field}`")]
    UnknownField {
        /// Section of the state.
        section: String,
        /// Field of the section.
        field: String,
    },
    /// A field occurs twice.
    #[error("field `{field}` of section `{section}` comes twice")]
    DuplicateField {
        /// Section of the state.
        section: String,
        /// Field of the section.
        field: String,
    },
    /// A field cannot have this value.
    #[error("field `{field}` of section `{section}`: {problem}")]
    Value {
        /// Section of the state.
        section: String,
        /// Field of the section.
        field: String,
        /// The problem.
        problem: ValueProblem,
    },
    /// Shared memory cannot be accessed.
    #[error("shared memory cannot be saved or loaded")]
    Memory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A part of memory lies outside the shared areas.
    #[error("{len} bytes of BAR {bar} at {offset:#x} are not shared")]
    MemoryOutside {
        /// Number of the BAR.
        bar: u8,
        /// Offset in the BAR, in bytes.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
    /// The state is too large for a stream.
    #[error("a state of {0} bytes; at most {MAX_STATE} are accepted")]
    TooLarge(usize),
    /// The device's author refused the state.
    #[error("the device refused the state")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The name and the ids of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceName {
    /// The name; a stream carries its first 64 bytes.
    pub name: String,
    /// PCI vendor id.
    pub vendor: u16,
    /// PCI device id.
    pub device: u16,
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceName { name, vendor, device } = self;
        // The name may hold any characters, and is logged.
        write!(f, "`{}` ({vendor:04x}:{device:04x})", name.escape_debug())
    }
}

/// The reason why a field cannot have a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueProblem {
    /// The bytes are not a value of the type, or the value cannot be written as one.
    #[error(transparent)]
    Malformed(#[from] ValueError),
    /// A collection is longer than its `max_len`.
    #[error("it holds {len} elements; at most {most} are accepted")]
    TooLong {
        /// Number of elements.
        len: usize,
        /// The most that are accepted.
        most: u64,
    },
    /// An array has another number of elements.
    #[error("it has {len} elements; {needed} are needed")]
    Elements {
        /// Number of elements.
        len: usize,
        /// Number of elements of this version.
        needed: u64,
    },
    /// A register has bits that are not implemented.
    #[error("{0:#x} has reserved bits")]
    ReservedBits(u64),
    /// The type of a register, or of a field of it, has no such value.
    #[error("{0:#x} is not a value of its type")]
    UnknownBits(u64),
    /// The device or a conversion refuses the value, with this reason.
    #[error("{0}")]
    Refused(String),
}

impl ValueProblem {
    /// Returns a problem in words, without control characters: parts of it may come from a stream.
    pub(crate) fn refused(problem: impl fmt::Display) -> Self {
        ValueProblem::Refused(printable(&problem.to_string()))
    }
}

fn listed(differences: &[LayoutDifference]) -> String {
    let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
