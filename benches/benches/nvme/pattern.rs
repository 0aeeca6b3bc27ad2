//! Which pages are moved.

use std::time::{Duration, Instant};

use vfio_user_tests::nvme::Pattern;

/// Places in an order that no prefetcher learns, for a time.
pub(crate) struct Random {
    places: u64,
    state: u64,
    end: Instant,
}

impl Random {
    pub(crate) fn new(places: u64, time: Duration) -> Self {
        Random { places, state: 0x9e37_79b9_7f4a_7c15, end: Instant::now() + time }
    }
}

impl Pattern for Random {
    #[inline]
    fn next(&mut self, now: Instant) -> Option<u64> {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (now < self.end).then_some(self.state % self.places)
    }
}

/// All places, once.
pub(crate) struct Sequential {
    next: u64,
    places: u64,
}

impl Sequential {
    pub(crate) fn new(places: u64) -> Self {
        Sequential { next: 0, places }
    }
}

impl Pattern for Sequential {
    fn next(&mut self, _: Instant) -> Option<u64> {
        let place = self.next;
        self.next += 1;
        (place < self.places).then_some(place)
    }
}
