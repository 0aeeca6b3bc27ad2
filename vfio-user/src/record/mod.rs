//! Recordings of devices, and their replay.
//!
//! A recording holds what entered a device while it was served and what left it, after the state
//! that it began with. [`replay`] runs a device again with what entered it, without a guest or a
//! client, and compares what leaves it. `--record=FILE` of device programs makes one, and so does
//! [`Recorded`].

mod difference;
mod names;
mod player;
mod recorded;
mod recorder;
mod replay;
mod shrink;
mod steps;

pub use crate::tape::{RecordingError, Unrecorded};
pub use difference::Difference;
pub use recorded::Recorded;
pub use replay::{Replay, ReplayError, recorded_device, replay};
pub use shrink::{Shrunk, shrink};
