//! What wakes a device besides its client: events, and descriptors that it watches.

mod events;
mod wakes;
mod watch;

pub(crate) use events::Events;
pub use events::{PostError, Remote};
pub(crate) use wakes::{Token, Wakes};
pub(crate) use watch::Watches;
pub use watch::{Readiness, Watch, WatchError};
