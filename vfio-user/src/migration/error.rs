//! What can be wrong with a stream.

use super::layout_difference::LayoutDifference;
use super::{MAX_FIELDS, MAX_NAME, MAX_SECTIONS, MAX_STATE};

/// What is wrong with a stream of state, before anybody asks what the state means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// It does not start as a stream does.
    #[error("this is no stream of device state, or it has been changed on its way")]
    Magic,
    /// Its format is another.
    #[error("the format of the stream is {0}; formats 1 and 2 are accepted")]
    Format(u16),
    /// Its values are written in another way.
    #[error("the codec of the stream is {0}; the codec of its format is accepted")]
    Codec(u16),
    /// A frame is of no known kind.
    #[error("frame {frame} is of unknown kind {kind}")]
    Kind {
        /// Which, from 0.
        frame: u64,
        /// Its kind.
        kind: u8,
    },
    /// A frame is larger or smaller than its kind can be.
    #[error("frame {frame} has {len} bytes; {accepted} are accepted")]
    Length {
        /// Which, from 0.
        frame: u64,
        /// What it says.
        len: u32,
        /// What is accepted.
        accepted: &'static str,
    },
    /// A frame has been damaged.
    #[error("frame {frame} has been damaged: its checksum does not match")]
    Checksum {
        /// Which, from 0.
        frame: u64,
    },
    /// A frame comes where none of its kind can.
    #[error("frame {frame} comes out of order: {problem}")]
    Order {
        /// Which, from 0.
        frame: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A frame holds something else than it should.
    #[error("frame {frame} is malformed: {problem}")]
    Malformed {
        /// Which, from 0.
        frame: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Frames are missing.
    #[error("the stream ends with {frames} frames, which are not those that were sent")]
    Incomplete {
        /// Those that have arrived.
        frames: u64,
    },
    /// It stops in the middle.
    #[error("the stream ends early")]
    Truncated,
    /// Something comes behind the end.
    #[error("something follows the end of the stream")]
    TrailingBytes,
    /// Something was wrong before.
    #[error("the stream was refused before")]
    Refused,
    /// The state does not consist of sections.
    #[error("section {section} is malformed: {problem}")]
    Section {
        /// Which, from 0.
        section: usize,
        /// What is wrong.
        problem: SectionProblem,
    },
}

/// What is wrong with a section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionProblem {
    /// It is longer than what there is.
    #[error("it ends early")]
    Truncated,
    /// Its fields do not fill it.
    #[error("its fields do not fill it")]
    Filling,
    /// An id or a name that cannot be one.
    #[error("names have 1 to {MAX_NAME} letters, digits, `_` and `.`")]
    Name,
    /// A flag that nobody has defined.
    #[error("unknown flags {0:#x}")]
    Flags(u16),
    /// A field's type is malformed.
    #[error("the type of a field is malformed")]
    Type,
    /// Too many fields.
    #[error("{0} fields; at most {MAX_FIELDS} are accepted")]
    Fields(u16),
    /// Too many sections.
    #[error("at most {MAX_SECTIONS} sections are accepted")]
    Sections,
    /// Another section has the same id.
    #[error("a second section `{0}`")]
    Duplicate(String),
}

/// Why a state cannot be saved or is not loaded. A device that refuses a state is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The stream itself is wrong.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The device has said `#[migrate(none)]`.
    #[error("device `{0}` does not migrate")]
    NotMigratable(&'static str),
    /// The stream is of another device.
    #[error("the state is of device {theirs}; this is {ours}")]
    Device {
        /// Name and ids in the stream.
        theirs: String,
        /// Those of the device.
        ours: String,
    },
    /// The guest would see another layout, as the stream says.
    #[error("the state is of a device with another layout: {}", listed(.0))]
    LayoutDiffers(Vec<LayoutDifference>),
    /// The guest would see another layout: other BARs, capabilities, vectors. The stream is an
    /// older one that does not say which.
    #[error("the state is of a device with other BARs, capabilities or interrupts")]
    Layout,
    /// The state uses what only a newer version has.
    #[error("section `{section}` needs version {needs} to be understood; this is version {ours}")]
    TooNew {
        /// Of the state.
        section: String,
        /// What is needed.
        needs: u16,
        /// What there is.
        ours: u16,
    },
    /// The state is older than what can be loaded.
    #[error("section `{section}` is of version {version}; {min} is the oldest that is accepted")]
    TooOld {
        /// Of the state.
        section: String,
        /// Its version.
        version: u16,
        /// The oldest accepted.
        min: u16,
    },
    /// A section that has to be there is not.
    #[error("section `{0}` is missing")]
    MissingSection(String),
    /// A section that this version does not know, and that matters.
    #[error("the state has a section that this version does not know: `{0}`")]
    UnknownSection(String),
    /// A field that has to be there is not.
    #[error("required field `{field}` of section `{section}` is missing")]
    MissingField {
        /// Of the state.
        section: String,
        /// Of the section.
        field: String,
    },
    /// A field that this version does not know, and that matters.
    #[error("section `{section}` carries state that this version does not know: field `{field}`")]
    UnknownField {
        /// Of the state.
        section: String,
        /// Of the section.
        field: String,
    },
    /// A field comes twice.
    #[error("field `{field}` of section `{section}` comes twice")]
    DuplicateField {
        /// Of the state.
        section: String,
        /// Of the section.
        field: String,
    },
    /// A field cannot have this value.
    #[error("field `{field}` of section `{section}`: {problem}")]
    Value {
        /// Of the state.
        section: String,
        /// Of the section.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// Shared memory cannot be accessed.
    #[error("shared memory cannot be saved or loaded")]
    Memory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A part of memory lies where none is shared.
    #[error("{len} bytes of BAR {bar} at {offset:#x} are not shared")]
    MemoryOutside {
        /// The BAR.
        bar: u8,
        /// In bytes from its start.
        offset: u64,
        /// In bytes.
        len: u64,
    },
    /// The state is too large for a stream.
    #[error("a state of {0} bytes; at most {MAX_STATE} are accepted")]
    TooLarge(usize),
    /// The device's author has refused it.
    #[error("the device refused the state")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn listed(differences: &[LayoutDifference]) -> String {
    let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
