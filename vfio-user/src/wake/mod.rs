//! What wakes a device besides its client: events, and descriptors that it watches.

mod events;
mod wake_set;
mod watch;

pub(crate) use events::{Events, Posted};
pub use events::{PostError, Remote};
pub(crate) use wake_set::{WakeSet, WakeSource};
pub(crate) use watch::Watches;
pub use watch::{Readiness, Watch, WatchError};
