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

/// Mappings that are unmapped slice by slice. What is left on drop is unmapped at once, unless the
/// thread collects.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Vec<Leftover>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(collect_or_unmap);
    }
}

impl Leftovers {
    /// Adds the large mappings that `run` drops, and returns its result. A thread collects for one
    /// at a time.
    pub(crate) fn collect<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let _collecting = Collecting::start(mem::take(&mut self.0));
        let result = run();
        self.0 = COLLECTED.take().unwrap_or_default();
        result
    }

    pub(super) fn append(&mut self, other: &mut Leftovers) {
        self.0.append(&mut other.0);
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
    if mapped.mapping.len() <= Unmapping::PART {
        return;
    }
    let (mapping, share) = mapped.into_parts();
    collect_or_unmap(Leftover { pages: mapping.into_unmapping(), _share: share });
}

fn collect_or_unmap(leftover: Leftover) {
    let mut leftover = Some(leftover);
    // A thread that ends collects no more, and its other thread-local values may own mappings.
    let _ = COLLECTED.try_with(|collected| {
        if let Some(collected) = &mut *collected.borrow_mut() {
            collected.extend(leftover.take());
        }
    });
    drop(leftover);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::thread;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;
    use crate::dma::address_space::Budget;
    use crate::protocol::PAGE_SIZE;
    use crate::sys::Mapping;

    const LEN: usize = 2 * Unmapping::PART;

    /// A budget for one mapping, and that mapping.
    fn mapped() -> (Budget, Leftover) {
        let file = File::from(memfd_create(c"left", MFdFlags::MFD_CLOEXEC).unwrap());
        file.set_len(LEN as u64).unwrap();
        let mut budget = Budget::default();
        budget.limit(LEN as u64);
        let share = budget.take(LEN as u64).unwrap();
        let mapping = Mapping::new(file.as_fd(), 0, LEN, PAGE_SIZE, true).unwrap();
        (budget, Leftover { pages: mapping.into_unmapping(), _share: share })
    }

    fn is_unmapped(budget: &Budget) -> bool {
        budget.take(LEN as u64).is_ok()
    }

    #[test]
    fn leftovers_that_are_dropped_are_collected_by_a_thread_that_does_so() {
        let (budget, leftover) = mapped();
        let dropped = Leftovers(vec![leftover]);
        let mut collected = Leftovers::default();
        collected.collect(|| drop(dropped));
        assert!(!is_unmapped(&budget));
        drop(collected);
        assert!(is_unmapped(&budget));
    }

    /// Its thread-local values are dropped in the reverse order of their first use.
    #[test]
    fn a_thread_that_ends_unmaps_at_once() {
        thread_local! {
            static LAST: RefCell<Leftovers> = RefCell::default();
        }
        let (budget, leftover) = mapped();
        let thread = thread::spawn(move || {
            LAST.set(Leftovers(vec![leftover]));
            Leftovers::default().collect(|| ());
        });
        thread.join().unwrap();
        assert!(is_unmapped(&budget));
    }
}
