//! Where a replay differs from its recording.

use std::fmt;
use std::time::Duration;

use crate::tape::Unrecorded;

/// The first difference between a replay and its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the entry of the recording, from 1.
    pub entry: u64,
    /// The time of the entry since the start.
    pub time: Duration,
    /// What the device was doing: the call, with the name of the register.
    pub during: String,
    /// What the recording has.
    pub recorded: String,
    /// What the replay has.
    pub replayed: String,
    /// What happened before that the recording does not hold, and that may be the cause.
    pub unrecorded: Vec<Unrecorded>,
}

impl Difference {
    /// Returns whether two differences are the same but for their place in a recording: the call,
    /// what the recording has, and what the replay has.
    pub fn is_same(&self, other: &Difference) -> bool {
        let Difference { during, recorded, replayed, .. } = other;
        (&self.during, &self.recorded, &self.replayed) == (during, recorded, replayed)
    }
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { entry, time, during, recorded, replayed, unrecorded } = self;
        write!(f, "entry {entry}, at {time:?}, {during}: ")?;
        write!(f, "the recording has {recorded}, the replay {replayed}{}", Note(unrecorded))
    }
}

/// What a recording does not hold, in brackets, or nothing.
pub(super) struct Note<'a>(pub(super) &'a [Unrecorded]);

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.0.iter().enumerate() {
            let before = if place == 0 { " (not in the recording: " } else { "; " };
            write!(f, "{before}{kind}")?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}
