//! Schedules endpoints: which have work now, and which will.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// Indices of endpoints, each at most once.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    indices: VecDeque<usize>,
    queued: Vec<bool>,
}

impl ReadyQueue {
    pub(super) fn push(&mut self, index: usize) {
        if self.queued.len() <= index {
            self.queued.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.queued[index], true) {
            self.indices.push_back(index);
        }
    }

    pub(super) fn pop(&mut self) -> Option<usize> {
        let index = self.indices.pop_front()?;
        self.queued[index] = false;
        Some(index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// The deadlines of endpoints, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    times: BTreeSet<(Instant, usize)>,
    of: Vec<Option<Instant>>,
}

impl Deadlines {
    pub(super) fn set(&mut self, index: usize, time: Option<Instant>) {
        if self.of.len() <= index {
            self.of.resize(index + 1, None);
        }
        let before = std::mem::replace(&mut self.of[index], time);
        if before == time {
            return;
        }
        if let Some(before) = before {
            self.times.remove(&(before, index));
        }
        if let Some(time) = time {
            self.times.insert((time, index));
        }
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.times.first().map(|(time, _)| *time)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let (time, index) = *self.times.first()?;
        if time > now {
            return None;
        }
        self.set(index, None);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_queue_has_each_place_once_and_in_order() {
        let mut queue = ReadyQueue::default();
        for index in [5, 2, 5, 0, 2] {
            queue.push(index);
        }
        assert_eq!([queue.pop(), queue.pop()], [Some(5), Some(2)]);
        queue.push(5);
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(0), Some(5), None]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_place_has_one_deadline_and_the_earliest_is_first() {
        let mut deadlines = Deadlines::default();
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        for (index, seconds) in [(3, 9), (0, 5), (3, 2), (1, 7)] {
            deadlines.set(index, at(seconds));
        }
        deadlines.set(0, None);
        assert_eq!(deadlines.first(), at(2));
        assert_eq!(deadlines.pop_due(start), None);
        let late = start + Duration::from_secs(8);
        assert_eq!([(); 3].map(|()| deadlines.pop_due(late)), [Some(3), Some(1), None]);
        assert_eq!(deadlines.first(), None);
    }
}
