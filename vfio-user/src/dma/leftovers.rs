//! Mappings that nothing uses any more, and that the system takes time to unmap.

use std::cell::RefCell;
use std::mem;
use std::time::{Duration, Instant};

use super::address_space::Share;
use super::incoming_file::Mapped;
use crate::sys::Unmapping;

/// The time for which parts are unmapped before other sessions have their turn.
const SLICE: Duration = Duration::from_millis(1);

thread_local! {
    /// The large mappings that were dropped on this thread, while it collects them.
    static COLLECTED: RefCell<Option<Vec<Leftover>>> = const { RefCell::new(None) };
}

/// A mapping without users.
#[derive(Debug)]
struct Leftover {
    pages: Unmapping,
    // After the pages, so that they are unmapped when the share is returned.
    _share: Share,
}

/// Mappings that are unmapped slice by slice; the rest is unmapped on drop.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Vec<Leftover>);

impl Leftovers {
    /// Adds the large mappings that `run` drops, and returns its result. A thread collects for one
    /// at a time.
    pub(crate) fn collect<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let _collecting = Collecting::start(mem::take(&mut self.0));
        let result = run();
        self.0 = COLLECTED.take().unwrap_or_default();
        result
    }

    /// Unmaps a slice. Returns whether more is left.
    pub(crate) fn unmap_slice(&mut self) -> bool {
        let start = Instant::now();
        while let Some(last) = self.0.last_mut() {
            if !last.pages.unmap_part() {
                self.0.pop();
            }
            if start.elapsed() >= SLICE {
                break;
            }
        }
        !self.0.is_empty()
    }
}

/// A thread that collects. It stops when this is dropped, also by a panic.
struct Collecting;

impl Collecting {
    fn start(collected: Vec<Leftover>) -> Self {
        COLLECTED.set(Some(collected));
        Collecting
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        drop(COLLECTED.take());
    }
}

/// Unmaps a mapping without users: later, if it is large and this thread collects such ones.
pub(super) fn leave(mapped: Mapped) {
    let (mapping, share) = mapped.into_parts();
    if mapping.len() <= Unmapping::PART {
        return;
    }
    let leftover = Leftover { pages: mapping.into_unmapping(), _share: share };
    COLLECTED.with_borrow_mut(|collected| match collected {
        Some(collected) => collected.push(leftover),
        None => drop(leftover),
    });
}
