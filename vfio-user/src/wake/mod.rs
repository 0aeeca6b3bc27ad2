//! What wakes a device besides its client: events, doorbells, and descriptors that it watches.

mod doorbells;
mod events;
mod wait_set;
mod wake_set;
mod watch;

pub(crate) use doorbells::Doorbells;
pub(crate) use events::{Events, Posted};
pub use events::{PostError, Remote};
pub(crate) use wait_set::WaitSet;
pub(crate) use wake_set::WakeSet;
pub(crate) use watch::Watches;
pub use watch::{Readiness, Watch, WatchError};
